"""Predicts what the Edge TPU compiler will map, without the compiler.

Examples:
  python -m deepgbass.export.preflight exports/camvid/model_int8.tflite
  python -m deepgbass.export.preflight --json=preflight.json model.tflite

Takes any .tflite file. For each operator: mapped, cpu, uncertain (nothing is
known of such a case) or fatal (ends the whole compilation), in the compiler's
words; first what causes an operator to be left to the CPU, then what that
strands. A file that was compiled already is read: what stayed on the CPU, and
what the compiled part needs. --json has every operator.
"""

import pathlib

from absl import app, flags

from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.export.edgetpu_package import read_package
from deepgbass.export.footprint import measure
from deepgbass.export.latency import estimate, estimate_compiled
from deepgbass.export.op_judgement import MAPPED, MORE_THAN_ONE, Judgement
from deepgbass.export.op_rules import judge_all
from deepgbass.export.partition import (
    count_behind,
    first_partition,
    settled,
)
from deepgbass.export.preflight_report import Prediction, PreflightReport
from deepgbass.export.preflight_text import as_text
from deepgbass.export.tflite_graph import COMPILED_OP
from deepgbass.export.tflite_reader import read_graph
from deepgbass.files import require_writable, write_atomic

NOT_QUANTIZED = "Model not quantized"
# Enough to see the kinds of trouble; each costs a pass over the graph.
_COUNTED = 50


def preflight(path_or_bytes) -> PreflightReport:
    """Predicts what the Edge TPU compiler (16.0) will do with a model.

    Args:
        path_or_bytes: a `.tflite` file or its content, compiled or not.

    Raises:
        UserError: not there, not a TFLite file, corrupt, huge or empty.
    """
    graph = read_graph(path_or_bytes)
    in_memory = isinstance(path_or_bytes, (bytes, bytearray, memoryview))
    label = "the model" if in_memory else str(path_or_bytes)
    return _read(graph, label) if graph.compiled else _predict(graph, label)


def _predict(graph, label):
    judgements = judge_all(graph)
    open_inputs = [i for i in graph.inputs if graph.tensors[i].dynamic]
    if open_inputs:
        name = graph.tensors[open_inputs[0]].name
        judgements = [_open_size(name)] * len(judgements)
    partition = first_partition(graph, judgements)
    judgements = settled(graph, judgements, partition)
    fatal = any(j.verdict == "fatal" for j in judgements)
    footprint = latency = None
    if partition.mapped and not fatal:
        footprint = measure(graph, partition.mapped)
        latency = estimate(graph, partition.mapped, footprint)
    return PreflightReport(
        label,
        graph.size_bytes,
        False,
        _predictions(graph, judgements, partition),
        footprint,
        latency,
        (),
        _notes(graph),
    )


def _open_size(name):
    # The compiler's words mislead: the model may well be quantised.
    return Judgement(
        "fatal",
        NOT_QUANTIZED,
        f'the size of the input "{name}" is open (usually the batch), which'
        " the compiler reports as a model that is not quantised",
        "export at a fixed batch of 1",
    )


def _predictions(graph, judgements, partition):
    stranding = {}
    for cause in partition.stranded.values():
        stranding[cause] = stranding.get(cause, 0) + 1
    uncertain = [
        op.index
        for op, judgement in zip(graph.operators, judgements, strict=True)
        if judgement.verdict == "uncertain" and op.index in partition.mapped
    ]
    for index in uncertain[:_COUNTED]:
        stranding[index] = count_behind(graph, partition, index)
    places = {
        **dict.fromkeys(partition.mapped, "subgraph"),
        **dict.fromkeys(partition.front, "front"),
        **dict.fromkeys(partition.frontier, "frontier"),
    }
    return tuple(
        _prediction(
            graph,
            op,
            judgement,
            places.get(op.index, "behind"),
            stranding.get(op.index, 0),
        )
        for op, judgement in zip(graph.operators, judgements, strict=True)
    )


def _prediction(graph, op, judgement, place, depends):
    output = graph.tensors[op.outputs[0]] if op.outputs else None
    return Prediction(
        op.index,
        op.name,
        op.version,
        judgement.verdict,
        judgement.status,
        judgement.reason,
        judgement.remedy,
        place,
        depends,
        output.name if output else "",
        output.shape if output else (),
    )


def _notes(graph):
    notes = []
    if graph.other_graphs:
        notes.append(
            f"{graph.other_graphs} more graphs (branches or loops) are not"
            " judged; what they compute stays on the CPU"
        )
    without = sum(
        t.dtype in ("int8", "uint8") and not (t.scales or t.constant)
        for t in graph.tensors
    )
    if without:
        notes.append(
            f"{without} int8 or uint8 tensors have no scale; the compiler may"
            f' refuse the whole model: "{NOT_QUANTIZED}"'
        )
    if not any(t.dtype in ("int8", "uint8") for t in graph.tensors):
        notes.append(
            "no tensor is int8 or uint8; the compiler may refuse the whole"
            f' model: "{NOT_QUANTIZED}"'
        )
    return tuple(notes)


def _read(graph, label):
    """The report of a model that was compiled already."""
    packages, predictions, notes = [], [], list(_notes(graph))
    for op, judgement in zip(graph.operators, judge_all(graph), strict=True):
        place = "behind"
        if op.name == COMPILED_OP:
            judgement, place = Judgement("mapped", MAPPED), "subgraph"
            packages.append(read_package(op.custom_data))
        elif judgement.verdict != "cpu":
            judgement = Judgement("cpu", MORE_THAN_ONE, "left by the compiler")
        predictions.append(_prediction(graph, op, judgement, place, 0))
    if None in packages:
        notes.append("what the compiled part holds could not be read")
    readable = tuple(p for p in packages if p)
    return PreflightReport(
        label,
        graph.size_bytes,
        True,
        tuple(predictions),
        None,
        estimate_compiled(readable),
        readable,
        tuple(notes),
    )


def define_flags():
    """Not at import: this module is also a library."""
    flags.DEFINE_string(
        "json", None, "File for the report of every operator, as JSON."
    )


def main(argv):
    if len(argv) != 2:
        raise app.UsageError("name one .tflite file after the flags")
    if flags.FLAGS.json:
        _require_json(flags.FLAGS.json)
    report = preflight(argv[1])
    print(as_text(report))
    if flags.FLAGS.json:
        write_atomic(flags.FLAGS.json, report.to_json())
        print(f"Every operator: {flags.FLAGS.json}")


def _require_json(path):
    """Makes sure that a report can be written there, and over no model."""
    if pathlib.Path(path).suffix == ".tflite":
        raise UserError(f"--json={path} names a model; choose another file")
    require_writable(pathlib.Path(path).parent, "json")


def run():
    define_flags()
    cli.run(main, positional=".tflite file")


if __name__ == "__main__":
    run()

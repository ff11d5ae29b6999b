"""The preflight: the first subgraph, root causes, the report, the command."""

import json

import numpy as np
import pytest
from absl import flags
from conftest import defined_flags
from tflite_files import Builder

from deepgbass.configs import ModelConfig
from deepgbass.errors import UserError
from deepgbass.experiment import make_model
from deepgbass.export import preflight as command
from deepgbass.export.graph import export_graph
from deepgbass.export.op_judgement import DATA_TYPE, MORE_THAN_ONE
from deepgbass.export.preflight import NOT_QUANTIZED, preflight
from deepgbass.export.preflight_text import as_text
from deepgbass.export.tflite import to_float, to_int8
from deepgbass.export.tflite_graph import COMPILED_OP
from deepgbass.export.tflite_reader import read_graph

PAIRS = (
    "deeplab_mobilenet_edgetpu_slim_cityscapes_quant",
    "deeplabv3_mnv2_dm05_pascal_quant",
)


def verdicts(report):
    return [p.verdict for p in report.operators]


def left_on_the_cpu(original, compiled):
    """Positions in a model of the operators that its compiled form kept.

    Operators are told by their name and by the name of what they compute,
    which the compiler keeps.
    """
    named = {
        (op.name, original.tensors[i].name): op.index
        for op in original.operators
        for i in op.outputs
    }
    return {
        named[op.name, compiled.tensors[i].name]
        for op in compiled.operators
        if op.name != COMPILED_OP
        for i in op.outputs
    }


@pytest.mark.parametrize("name", PAIRS)
def test_predicts_what_googles_compiler_did(shared, name):
    path = shared / "zoo" / f"{name}.tflite"
    compiled = read_graph(path.with_name(f"{name}_edgetpu.tflite"))
    left = left_on_the_cpu(read_graph(path), compiled)
    report = preflight(path)
    assert {p.index for p in report.operators if p.verdict == "cpu"} == left
    assert not report.uncertain and not report.fatal
    assert report.mapped == len(report.operators) - len(left)


def test_causes_come_before_what_they_strand(shared):
    report = preflight(shared / "zoo" / f"{PAIRS[1]}.tflite")
    (cause,) = report.root_causes
    assert (cause.name, cause.index) == ("RESIZE_BILINEAR", 64)
    stranded = [p for p in report.operators if p.status == MORE_THAN_ONE]
    assert cause.depends == len(stranded) == 5
    text = as_text(report)
    assert "64 of 72 operators predicted on the TPU" in text
    assert "Predicted, not compiled" in text
    assert "CONV_2D                        2          More than one" in text
    assert "by ADD instead" in text


def test_a_compiled_model_is_read(shared):
    report = preflight(shared / "zoo" / f"{PAIRS[1]}_edgetpu.tflite")
    assert report.compiled and report.subgraphs == 1
    assert [p.name for p in report.operators if p.verdict == "cpu"] == [
        *("RESIZE_BILINEAR", "QUANTIZE", "CONCATENATION", "CONV_2D"),
        *("CONV_2D", "RESIZE_BILINEAR", "RESIZE_BILINEAR", "ARG_MAX"),
    ]
    (package,) = report.packages
    assert package.min_runtime_version == 12
    text = as_text(report)
    assert "was compiled" in text and "Predicted, not" not in text


def test_a_spill_to_the_host_is_read_from_the_package(shared):
    report = preflight(shared / "zoo" / f"{PAIRS[0]}_edgetpu.tflite")
    # 1.39 MB written, 8.36 MB read.
    assert report.packages[0].scratch_bytes == 1393920 * 7
    assert report.packages[0].narrow_bytes_per_tile == 189544


def test_the_estimate_is_near_the_fitted_formula(shared):
    report = preflight(shared / "zoo" / f"{PAIRS[1]}.tflite")
    latency = report.latency
    assert latency.estimate_ms == pytest.approx(7.4, rel=0.05)
    assert latency.bound_ms < latency.low_ms < latency.estimate_ms
    assert latency.high_ms == pytest.approx(1.25 * latency.estimate_ms)
    assert "ESTIMATE" in as_text(report)


def test_operators_in_front_strand_nothing():
    # As MoveNet begins: bytes to floats to int8, both on the CPU.
    b = Builder()
    x = b.unary("CAST", b.image(1, 8, 8, 3, dtype="uint8"), dtype="float32")
    x = b.unary("QUANTIZE", x, dtype="int8")
    x = b.convolution(b.convolution(x))
    report = preflight(b.content())
    assert verdicts(report) == ["cpu", "cpu", "mapped", "mapped"]
    assert report.operators[0].status == DATA_TYPE
    assert [p.place for p in report.operators] == [
        *("front", "front", "subgraph", "subgraph")
    ]
    assert not report.root_causes


def test_only_the_first_subgraph_is_kept_even_if_smaller():
    b = Builder()
    x = b.convolution(b.image())
    x = b.unary("LEAKY_RELU", x)
    for _ in range(5):
        x = b.convolution(x)
    report = preflight(b.content())
    assert verdicts(report) == ["mapped"] + ["cpu"] * 6
    assert [p.index for p in report.root_causes] == [1]
    assert report.root_causes[0].depends == 5
    assert report.operators[2].status == MORE_THAN_ONE


def test_a_parallel_branch_stays_mapped():
    b = Builder()
    x = b.convolution(b.image())
    left, right = b.unary("LEAKY_RELU", x), b.unary("RELU", x)
    joined = b.tensor((1, 8, 8, 4))
    b.op("ADD", [left, right], [joined])
    report = preflight(b.content())
    assert verdicts(report) == ["mapped", "cpu", "mapped", "cpu"]
    assert report.operators[3].status == MORE_THAN_ONE


def test_the_own_reason_of_an_operator_behind_the_cause_is_kept():
    b = Builder()
    x = b.unary("LEAKY_RELU", b.convolution(b.image()))
    b.unary("DEQUANTIZE", x, dtype="float32")
    report = preflight(b.content())
    assert report.operators[2].status == DATA_TYPE
    assert report.operators[2].place == "behind"
    assert len(report.root_causes) == 1


def test_an_uncertain_operator_is_in_the_subgraph_and_says_what_hangs_on_it():
    b = Builder()
    x = b.unary("RSQRT", b.convolution(b.image()))
    b.convolution(b.convolution(x))
    report = preflight(b.content())
    assert verdicts(report) == ["mapped", "uncertain", "mapped", "mapped"]
    assert report.uncertain[0].depends == 2
    assert report.mapped == 4 and not report.all_mapped
    assert "1 of them uncertain" in as_text(report)


def test_a_fatal_operator_maps_nothing_and_leads_the_report():
    b = Builder()
    x = b.unary("TILE", b.convolution(b.image()), version=3)
    b.unary("LEAKY_RELU", x)
    report = preflight(b.content())
    assert verdicts(report) == ["mapped", "fatal", "cpu"]
    assert report.mapped == 0 and report.subgraphs == 0
    assert report.latency is None and report.footprint is None
    text = as_text(report)
    assert "Didn't find op for builtin opcode 'TILE' version '3'" in text
    assert "will fail" in text and "Ends the subgraph" not in text
    assert "If these were replaced" in text


def test_what_is_behind_a_fatal_operator_would_be_mapped_without_it():
    b = Builder()
    b.convolution(b.unary("TILE", b.convolution(b.image()), version=3))
    report = preflight(b.content())
    assert verdicts(report) == ["mapped", "fatal", "mapped"]
    assert report.mapped == 0 and not report.root_causes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--json=other.tflite"], "other.tflite names a model"),
        (["--json=/proc/none/x.json"], "--json=/proc/none cannot be written"),
    ],
)
def test_a_report_goes_over_no_model_and_where_it_can_be(
    words, message, monkeypatch
):
    monkeypatch.setattr(command, "preflight", lambda _: pytest.fail("late"))
    with defined_flags(command), pytest.raises(UserError, match=message):
        argv = flags.FLAGS(["preflight", *words, "model.tflite"])
        command.main(argv)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["guided", "deeplab_v3plus"])
def test_our_networks_map_whole_at_the_size_of_cityscapes_crops(decoder):
    size = (512, 1024)
    config = ModelConfig(decoder=decoder, decoder_channels=64)
    graph = export_graph(make_model(config, 19, size, 1))
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    report = preflight(to_int8(to_float(graph), [image]))
    assert report.all_mapped and report.subgraphs == 1


def test_an_open_batch_is_explained():
    b = Builder()
    b.convolution(b.image(1, 8, 8, 4, shapeSignature=[-1, 8, 8, 4]))
    report = preflight(b.content())
    assert verdicts(report) == ["fatal"]
    assert report.operators[0].status == NOT_QUANTIZED
    assert "batch" in report.operators[0].reason


def test_a_real_model_with_an_open_batch(shared):
    # Its inner shapes are not stored either.
    path = shared / "zoo/mobilenet_edgetpu_224_1.0_uint8.tflite"
    assert {p.status for p in preflight(path).operators} == {NOT_QUANTIZED}


def test_a_float_model_is_all_of_an_unsupported_type():
    b = Builder()
    x = b.unary("RELU", b.image(1, 8, 8, 4, dtype="float32"))
    b.unary("SOFTMAX", b.unary("LOGISTIC", x))
    report = preflight(b.content())
    assert {p.status for p in report.operators} == {DATA_TYPE}
    assert report.mapped == 0
    assert any(NOT_QUANTIZED in note for note in report.notes)


def test_bytes_without_a_scale_are_noted():
    b = Builder()
    b.convolution(b.image(quantization=None))
    (note,) = preflight(b.content()).notes
    assert note.startswith("1 int8") and NOT_QUANTIZED in note


def test_further_graphs_are_noted():
    b = Builder()
    b.convolution(b.image())
    b.graphs = 3
    assert "2 more graphs" in preflight(b.content()).notes[0]


def test_parameters_beyond_the_chip_are_flagged():
    for mebibytes, at_risk, streamed in ((5, False, 0), (9, True, 2 * 2**20)):
        b = Builder()
        weights = b.tensor((2**10, mebibytes * 2**10), values=1)
        source = b.image(1, mebibytes * 2**10)
        output = b.tensor((1, 2**10))
        b.op("FULLY_CONNECTED", [source, weights], [output])
        footprint = preflight(b.content()).footprint
        assert footprint.parameter_bytes == mebibytes * 2**20
        assert footprint.at_risk == at_risk
        assert footprint.streamed_bytes == streamed


def test_the_peak_counts_what_is_alive_together():
    b = Builder()
    source = b.image()  # 256 bytes
    kept = b.unary("RELU", source)
    x = b.unary("RELU", b.unary("RELU", kept))
    b.op("ADD", [kept, x], [b.tensor((1, 8, 8, 4))])
    footprint = preflight(b.content()).footprint
    assert footprint.peak_activation_bytes == 3 * 256
    assert footprint.input_bytes == footprint.output_bytes == 256


def test_json_has_every_operator():
    b = Builder()
    b.unary("LEAKY_RELU", b.convolution(b.image()))
    report = preflight(b.content())
    content = json.loads(report.to_json())
    assert content["basis"] == "predicted, not compiled"
    assert [p["verdict"] for p in content["operators"]] == ["mapped", "cpu"]
    assert content["counts"] == report.counts
    assert report.counts["LEAKY_RELU"] == {"cpu": 1}


def test_the_command_prints_and_writes(tmp_path, capsys):
    b = Builder()
    b.convolution(b.image())
    path, output = tmp_path / "m.tflite", tmp_path / "out/p.json"
    path.write_bytes(b.content())
    with defined_flags(command, json=str(output)):
        command.main(["preflight", str(path)])
    assert "1 of 1 operators predicted" in capsys.readouterr().out
    assert json.loads(output.read_text())["all_mapped"]


@pytest.mark.parametrize("content", [b"", b"TFL3", b"x" * 4096])
def test_what_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.tflite is not a TFLite"):
        preflight(path)


def test_absent_empty_and_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        preflight(tmp_path / "absent.tflite")
    with pytest.raises(UserError, match="directory"):
        preflight(tmp_path)
    with pytest.raises(UserError, match="no operators"):
        preflight(Builder().content())

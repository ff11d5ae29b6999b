"""What the guided decoder costs on a CPU in int8, beside DeepLab v3+'s.

python benchmarks/int8_latency.py [--size=512,512] [--threads=2]

DGD-64 in int8 and float32 and DLv3D-64 in int8, on MNEdge at full width and
with 19 classes, take turns in one run. Weights are random, as they do not
change the time; so a ratio needs no training. Also writes what the preflight
predicts of the two int8 models on an Edge TPU.

Goal: DGD-64 at most 1.05 times DLv3D-64; the FLOPs of Table II say 1.04.
"""

import time

import numpy as np
from absl import flags

from deepgbass.commands import cli
from deepgbass.configs import ModelConfig

_SIZE = flags.DEFINE_list(
    "size", ["512", "512"], "Height and width of the input in pixels."
)
_THREADS = flags.DEFINE_integer("threads", 2, "Threads.", lower_bound=1)
_RUNS = flags.DEFINE_integer("runs", 100, "Timed rounds.", lower_bound=1)

GOAL = 1.05
CLASSES = 19
DECODERS = {"DGD-64": "guided", "DLv3D-64": "deeplab_v3plus"}


def main(_):
    size = tuple(int(n) for n in _SIZE.value)
    cli.import_tensorflow()
    from deepgbass.export.graph import check_size

    check_size(size, ModelConfig().output_stride)
    models = convert_models(size)
    report(take_turns(models, _RUNS.value), size)


def convert_models(size):
    """Name -> content of the networks' `.tflite` files."""
    from deepgbass.experiment import make_model
    from deepgbass.export.graph import export_graph
    from deepgbass.export.preflight import preflight
    from deepgbass.export.tflite import to_float, to_int8

    scenes = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    models = {}
    for name, decoder in DECODERS.items():
        config = ModelConfig(decoder=decoder, decoder_channels=64)
        model = make_model(config, CLASSES, size, 1)
        forms = {"int8": to_int8(to_float(export_graph(model)), scenes)}
        if decoder == "guided":
            forms["float32"] = to_float(export_graph(model, integer=False))
        predicted = preflight(forms["int8"])
        latency = predicted.latency
        print(
            f"{name} int8 on an Edge TPU, predicted: {predicted.mapped} of "
            f"{len(predicted.operators)} operators mapped, "
            f"{predicted.subgraphs} subgraph; ESTIMATE {latency.low_ms:.0f} to "
            f"{latency.high_ms:.0f} ms"
        )
        models |= {f"{name} {form}": forms[form] for form in forms}
    return models


def take_turns(models, rounds):
    """Name -> seconds of each round, after one that does not count."""
    from ai_edge_litert.interpreter import Interpreter

    interpreters = {
        name: Interpreter(model_content=content, num_threads=_THREADS.value)
        for name, content in models.items()
    }
    for interpreter in interpreters.values():
        interpreter.allocate_tensors()
        (given,) = interpreter.get_input_details()
        interpreter.set_tensor(
            given["index"], np.zeros(given["shape"], given["dtype"])
        )
    seconds = {name: np.zeros(rounds + 1) for name in models}
    for i in range(rounds + 1):
        for name, interpreter in interpreters.items():
            began = time.perf_counter()
            interpreter.invoke()
            seconds[name][i] = time.perf_counter() - began
    return {name: taken[1:] for name, taken in seconds.items()}


def report(times, size):
    """Prints the median of each model's seconds, and the ratios."""
    print(
        f"\nMNEdge, {size[0]}x{size[1]}, {CLASSES} classes, "
        f"{_THREADS.value} threads, {_RUNS.value} rounds by turns"
    )
    for name, seconds in times.items():
        print(f"  {name:16} {1e3 * np.median(seconds):8.1f} ms")
    for name, base, goal in (
        ("DGD-64 int8", "DLv3D-64 int8", GOAL),
        ("DGD-64 int8", "DGD-64 float32", None),
    ):
        # Of each round, as the machine's other work comes and goes.
        ratios = times[name] / times[base]
        low, middle, high = np.percentile(ratios, (25, 50, 75))
        line = f"{name} / {base}: {middle:.3f} ({low:.3f} to {high:.3f})"
        if goal:
            line += f", goal {goal}: {'met' if middle <= goal else 'MISSED'}"
        print(line)


if __name__ == "__main__":
    cli.run(main)

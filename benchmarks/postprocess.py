"""Speed of the way from logits to labels on the host, on one core.

python benchmarks/postprocess.py [--size=512,512] [--classes=19]

int8 logits at stride 4 become a label map: by `nearest_labels` and by
`bilinear_labels`, and in the usual ways: NumPy's argmax repeated, NumPy's
bilinear resize and argmax, and RESIZE_BILINEAR and ARG_MAX of TFLite with one
thread, with XNNPACK (which is TFLite's default) and without. Prints the best
CPU time of each, the ratio to ours, and the share of equal labels: TFLite
rounds what it has resized to int8 again, so that more classes tie.

Logits are smooth fields: about as many cells between them are mixed as for a
trained network (CamVid: 17 %); and noise, the worst case, which no network
gives. Goals, on the machine that they were set for: 1.0 ms and 10 ms.
"""

import time

import numpy as np
from absl import flags
from PIL import Image

from deepgbass.commands import cli
from deepgbass.ondevice.postprocess import bilinear_labels, nearest_labels

_SIZE = flags.DEFINE_list(
    "size", ["512", "512"], "Height and width of the label map in pixels."
)
_CLASSES = flags.DEFINE_integer("classes", 19, "Classes.", lower_bound=2)
_REPEATS = flags.DEFINE_integer(
    "repeats", 20, "Take the best of so many.", lower_bound=1
)

STRIDE = 4
# Pixels of logits across a region, in the smooth fields.
REGION = 16


def main(_):
    size = tuple(int(n) for n in _SIZE.value)
    few = tuple(n // STRIDE for n in size)
    rng = np.random.default_rng(0)
    cli.import_tensorflow()
    tflite = {
        "TFLite, XNNPACK": Tflite(few, size, xnnpack=True),
        "TFLite, own kernels": Tflite(few, size, xnnpack=False),
    }
    for name, logits in (
        ("smooth fields", smooth_logits(rng, few)),
        ("noise", rng.integers(-128, 128, (*few, _CLASSES.value), np.int8)),
    ):
        best = np.pad(logits.argmax(-1), 1, mode="edge")
        mixed = np.ones(np.subtract(best.shape, 1), bool)
        for y, x in ((0, 1), (1, 0), (1, 1)):
            part = best[y:, x:][: mixed.shape[0], : mixed.shape[1]]
            mixed &= part == best[:-1, :-1]
        print(
            f"\n{name}, {few[0]}x{few[1]}x{_CLASSES.value} to "
            f"{size[0]}x{size[1]}, {100 - 100 * mixed.mean():.0f} % of the "
            "cells mixed"
        )
        report(
            "nearest_labels",
            lambda x: nearest_labels(x, size, size, size),
            {"NumPy argmax, repeat": repeated},
            logits,
        )
        report(
            "bilinear_labels",
            lambda x: bilinear_labels(x, size, size, size),
            {"NumPy bilinear, argmax": lambda x: resized(x, size), **tflite},
            logits,
        )


def report(name, ours, others, logits):
    """Prints the time of ours, and of others with their ratio to it."""
    base, labels = best_time(ours, logits)
    print(f"  {name:26} {1e3 * base:8.2f} ms")
    for other, function in others.items():
        seconds, found = best_time(function, logits)
        print(
            f"  {other:26} {1e3 * seconds:8.2f} ms {seconds / base:7.1f} times"
            f" {100 * np.mean(found == labels):7.2f} % equal"
        )


def best_time(function, logits):
    """CPU seconds, on which other work on the machine has little effect."""
    times = []
    for _ in range(_REPEATS.value):
        began = time.process_time()
        labels = function(logits)
        times.append(time.process_time() - began)
    return min(times), labels


def repeated(logits):
    labels = logits.argmax(-1).astype(np.uint8)
    return labels.repeat(STRIDE, axis=0).repeat(STRIDE, axis=1)


def resized(logits, size):
    """Bilinear with half-pixel centres in float32, rows first."""
    values = logits.astype(np.float32)
    for axis in (0, 1):
        few, many = logits.shape[axis], size[axis]
        place = (np.arange(many) + 0.5) * few / many - 0.5
        place = np.clip(place, 0, few - 1)
        before = np.floor(place).astype(int)
        share = (place - before).astype(np.float32)
        share = share.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        behind = np.minimum(before + 1, few - 1)
        values = (1 - share) * values.take(before, axis) + (
            share * values.take(behind, axis)
        )
    return values.argmax(-1)


class Tflite:
    """RESIZE_BILINEAR and ARG_MAX in int8, one thread."""

    def __init__(self, few, size, xnnpack):
        import tensorflow as tf
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        shape = (1, *few, _CLASSES.value)

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
        def function(x):
            x = tf.image.resize(x, size)
            return tf.argmax(x, axis=-1, output_type=tf.int32)

        def examples():
            # The ends of int8, so that the scale is 1.
            yield [
                np.linspace(
                    -128, 127, np.prod(shape), dtype=np.float32
                ).reshape(shape)
            ]

        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()]
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        converter.inference_input_type = tf.int8
        resolver = (
            OpResolverType.AUTO
            if xnnpack
            else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        self._interpreter = Interpreter(
            model_content=converter.convert(),
            num_threads=1,
            experimental_op_resolver_type=resolver,
        )
        self._interpreter.allocate_tensors()
        (source,) = self._interpreter.get_input_details()
        (result,) = self._interpreter.get_output_details()
        assert source["dtype"] == np.int8
        self._source, self._result = source["index"], result["index"]

    def __call__(self, logits):
        self._interpreter.set_tensor(self._source, logits[None])
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._result)[0]


def smooth_logits(rng, few):
    """int8 logits of classes in regions, `(*few, classes)`."""
    coarse = [max(n // REGION, 1) for n in few]
    fields = [
        Image.fromarray(rng.normal(0, 40, coarse).astype(np.float32)).resize(
            few[::-1], Image.Resampling.BILINEAR
        )
        for _ in range(_CLASSES.value)
    ]
    values = np.stack([np.asarray(field) for field in fields], axis=-1)
    return np.clip(np.rint(values), -128, 127).astype(np.int8)


if __name__ == "__main__":
    cli.run(main)

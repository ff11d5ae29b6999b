"""What logits of a stride can say: fitted to the truth itself, without network.

python benchmarks/logit_stride.py [--data_dir=data/camvid] [--images=4] \\
    [--steps=60] [--rate=0.3]

For each stride and loss, free logits `(height / stride, width / stride,
classes)` of some validation images, cut to a multiple of the strides, are
resized to the image, as a network's are, and fitted to its labels by Adam.
What they reach, logits of that stride can say (a longer fit may reach more);
and whether SBL finds something there that cross-entropy leaves. Takes some
minutes on two cores.
"""

import numpy as np
from absl import flags

from deepgbass.commands import cli
from deepgbass.configs import LossConfig
from deepgbass.errors import UserError
from deepgbass.metrics.boundary_f1 import BoundaryF1
from deepgbass.metrics.mean_iou import MeanIoU
from deepgbass.progress import track

LOSSES = {"cross-entropy": "cross_entropy", "cross-entropy + SBL": "sbl"}
STRIDES = (16, 4)

_DATA = flags.DEFINE_string(
    "data_dir", "data/camvid", "Folder of TFRecords, with a split val."
)
_IMAGES = flags.DEFINE_integer(
    "images", 4, "So many, spread over the split.", lower_bound=1
)
_STEPS = flags.DEFINE_integer("steps", 60, "Of Adam.", lower_bound=1)
_RATE = flags.DEFINE_float("rate", 0.3, "Of Adam; decays to 0.", lower_bound=0)


def main(_):
    cli.import_tensorflow()
    from deepgbass.data.pipeline import load_dataset
    from deepgbass.experiment import make_loss

    dataset = load_dataset(_DATA.value, "val")
    if _IMAGES.value > len(dataset):
        raise UserError(
            f"--images={_IMAGES.value}: the split has {len(dataset)}"
        )
    places = np.linspace(0, len(dataset) - 1, _IMAGES.value).round().astype(int)
    labels = [example["label"] for example in dataset.examples(list(places))]
    # The largest part that both strides divide.
    shapes = [label.shape for label in labels]
    height, width = np.min(shapes, 0) // max(STRIDES) * max(STRIDES)
    labels = np.stack([label[:height, :width] for label in labels])
    labels = labels.astype(np.int32)
    count = dataset.info.num_classes
    print(
        f"{len(labels)} images of {dataset.info.name}, {height}x{width}, "
        f"{_STEPS.value} steps of {_RATE.value:g}"
    )
    print(f"{'stride':>6}  {'loss':22}{'mIoU %':>8}{'mBF %':>8}")
    for stride in STRIDES:
        for title, name in LOSSES.items():
            loss = make_loss(LossConfig(name=name))
            predictions = fitted(labels, stride, count, loss, title)
            miou, mbf = MeanIoU(count), BoundaryF1(count)
            for label, prediction in zip(labels, predictions, strict=True):
                miou.update(label, prediction)
                mbf.update(label, prediction)
            miou, mbf = miou.result().miou, mbf.result()[0].mbf
            print(f"{stride:6}  {title:22}{100 * miou:8.1f}{100 * mbf:8.1f}")


def fitted(labels, stride, num_classes, loss, title):
    """The class ids of free logits, fitted to labels.

    Args:
        labels: class ids `(batch, height, width)`.
        stride: of the logits, pixels; divides the sizes.
        num_classes: int.
        loss: of labels and logits.
        title: of the progress bar, beside the stride.

    Returns:
        int32 `(batch, height, width)`.
    """
    import tensorflow as tf

    from deepgbass.keras_api import keras
    from deepgbass.layers.resize import resize_bilinear

    batch, *size = labels.shape
    labels = tf.constant(labels)
    shape = (batch, *(n // stride for n in size), num_classes)
    logits = tf.Variable(tf.zeros(shape))
    rate = keras.optimizers.schedules.PolynomialDecay(
        _RATE.value, _STEPS.value, 0.0
    )
    optimizer = keras.optimizers.Adam(rate)

    @tf.function(jit_compile=True)
    def gradient(logits, labels, seed):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, resize_bilinear(logits, size), seed)
        return tape.gradient(value, logits)

    steps = range(_STEPS.value)
    for step in track(steps, f"stride {stride}, {title}", len(steps)):
        # The same noise in each run.
        seed = tf.constant([0, step])
        found = gradient(logits.value(), labels, seed)
        optimizer.apply_gradients([(found, logits)])
    return tf.argmax(resize_bilinear(logits, size), -1, tf.int32).numpy()


if __name__ == "__main__":
    cli.run(main)

"""Labels and logits of a batch, checked and in the form that losses need."""

import tensorflow as tf

from deepgbass.errors import UserError


class Scene:
    """Labels and logits of a batch.

    Args:
        labels: integers, or floats that hold integers,
            `(batch, height, width)` or `(batch, height, width, 1)`.
        logits: floats `(batch, h, w, num_classes)`, no larger than the labels.
        ignore_label: label id that marks ignored pixels.
        least_size: pixels that height and width must have.

    Attributes:
        labels: int32 `(batch, height, width)`, -1 where ignored.
        logits: float32 `(batch, height, width, num_classes)`, resized
            bilinearly with half-pixel centres where they were smaller.
        valid: float32 `(batch, height, width)`, 0 where ignored.
        crossentropy: float32 `(batch, height, width)`, 0 where ignored.
        count: float32, number of valid pixels.

    Raises:
        UserError: shapes or types do not fit.
        tf.errors.InvalidArgumentError: a label is neither a class nor
            ignored, or no whole number. Not where XLA compiles the whole
            step: there an id outside the classes makes the loss NaN.
    """

    def __init__(self, labels, logits, ignore_label, least_size=1):
        labels = tf.convert_to_tensor(labels)
        logits = tf.convert_to_tensor(logits)
        _check_types(labels.dtype, logits.dtype)
        logits = tf.cast(logits, tf.float32)
        if labels.shape.rank == 4 and labels.shape[-1] == 1:
            labels = labels[..., 0]
        _check_shapes(labels.shape, logits.shape, least_size)
        ids = tf.cast(labels, tf.int32)
        low, full = logits.shape[1:3], labels.shape[1:3]
        # Unknown sizes compare as equal, and may differ all the same.
        if low != full or not low.is_fully_defined():
            logits = tf.image.resize(logits, tf.shape(labels)[1:])
        is_valid = ids != ignore_label
        check = _check_ids(labels, ids, is_valid, logits.shape[-1])
        with tf.control_dependencies([check]):
            self.labels = tf.where(is_valid, ids, -1)
        # Cross-entropy of an id outside the classes is NaN, even times 0.
        classes = tf.maximum(self.labels, 0)
        self.logits = logits
        self.valid = tf.cast(is_valid, tf.float32)
        self.crossentropy = self.valid * (
            tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
        )
        self.count = tf.reduce_sum(self.valid)


def _check_types(labels, logits):
    if not (labels.is_integer or labels.is_floating):
        raise UserError(f"labels are {labels.name}; they must be integers")
    if not logits.is_floating:
        raise UserError(
            f"logits are {logits.name}; they must be floats, before any softmax"
        )


def _check_shapes(labels, logits, least_size):
    if labels.rank != 3 or logits.rank != 4:
        raise UserError(
            "labels must be (batch, height, width) and logits (batch, h, w, "
            f"num_classes), but they are {labels} and {logits}"
        )
    if logits[-1] is None:
        raise UserError(
            f"logits are {logits}; the number of classes must be known"
        )
    if not labels[:1].is_compatible_with(logits[:1]):
        raise UserError(
            f"labels {labels} and logits {logits} differ in the batch; give "
            "as many label maps as logit maps"
        )
    for size, low in zip(labels[1:], logits[1:3], strict=True):
        if size is not None and size < least_size:
            raise UserError(
                f"labels are {labels}: boundaries need at least {least_size} "
                "pixels each way; use larger images or crops"
            )
        if None not in (size, low) and low > size:
            raise UserError(
                f"logits {logits} have a higher resolution than labels "
                f"{labels}; give labels of at least the logits' size"
            )


def _check_ids(given, ids, is_valid, num_classes):
    is_class = (ids >= 0) & (ids < num_classes)
    is_bad = (tf.cast(ids, given.dtype) != given) | (is_valid & ~is_class)
    # With one more at the end there is a first, even in an empty batch.
    first = tf.argmax(
        tf.concat([tf.reshape(is_bad, [-1]), [True]], axis=0),
        output_type=tf.int32,
    )
    _, height, width = tf.unstack(tf.shape(ids))
    # XLA has no tf.unravel_index.
    row, column = first // width, first % width
    return tf.debugging.Assert(
        first == tf.size(ids),
        [
            "labels hold an id that is neither a class nor ignored:",
            tf.pad(tf.reshape(given, [-1]), [[0, 1]])[first],
            "at (image, row, column)",
            tf.stack([row // height, row % height, column]),
            f"while the classes are 0 to {num_classes - 1}",
        ],
    )

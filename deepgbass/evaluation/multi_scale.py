"""Prediction from several sizes of an image, and from its mirror images.

Chen et al.: DeepLab (2018), section 4.1: what a network says of an image at
several scales and mirrored is averaged. Here these are class probabilities,
averaged at the size that the image has in the network's input.

At scale s the image is s times as large as it would be otherwise, made from
the original at once, so that s > 1 shows details that the input size hides.
A Keras network is built anew for each scale, with an input s times as large
(rounded up to the output stride). A `.tflite` model keeps its one size:
smaller images are padded as ever; larger ones are cut into the fewest tiles
of that size, evenly spread and overlapping, whose probabilities are averaged
where they overlap.
"""

import itertools
import math

import numpy as np
import tensorflow as tf
from PIL import Image

from deepgbass.errors import UserError
from deepgbass.layers.resize import resize_bilinear
from deepgbass.letterbox import PADDING, letterbox


class MultiScalePredictor:
    """Maps a uint8 image `(height, width, 3)` to int32 labels of its size.

    Args:
        predictor: `Predictor` at the scale 1.
        scales: factors of the image's size, each above 0.
        flip: whether mirror images are averaged as well.
        at_scale: None for a network of one size, or a function of a scale
            that gives a `Predictor` of the network at that size.

    Attributes:
        info: `DatasetInfo` of the classes that it predicts.

    Raises:
        UserError: the model gives labels, which cannot be averaged.
    """

    def __init__(self, predictor, scales=(1.0,), flip=False, at_scale=None):
        output = getattr(predictor, "output", "logits")
        if output != "logits":
            raise UserError(
                f"the model gives {output}, and only logits can be averaged; "
                "export it with --output=logits, or leave --scales and --flip"
            )
        self.info = predictor.info
        self._base = predictor
        self._flip = flip
        self._networks = {
            scale: at_scale(scale) if at_scale and scale != 1 else predictor
            for scale in scales
        }

    def __call__(self, image):
        base = self._base
        _, content = letterbox(image, base.size, base.longer_side)
        total = 0.0
        for scale, network in self._networks.items():
            view = _resized(image, [max(round(n * scale), 1) for n in content])
            shares = probabilities(network, view)
            if self._flip:
                mirrored = probabilities(network, view[:, ::-1])
                shares = (shares + mirrored[:, ::-1]) / 2
            total += _enlarged(shares, content)
        total = _enlarged(total, image.shape[:2])
        return tf.argmax(total, axis=-1, output_type=tf.int32).numpy()


def scaled_size(size, scale, multiple):
    """The input size of a network at a scale: no smaller, of whole strides."""
    return tuple(
        max(math.ceil(round(n * scale, 6) / multiple), 2) * multiple
        for n in size
    )


def probabilities(predictor, image):
    """Class probabilities of an image of any size, tile by tile.

    Args:
        predictor: `Predictor` whose `logits` are used.
        image: uint8 `(height, width, 3)`.

    Returns:
        float32 tensor `(height, width, classes)`; the sum over classes is 1.

    Raises:
        UserError: a logit is not finite.
    """
    sides = zip(image.shape[:2], predictor.size, strict=True)
    rows, columns = (tile_starts(*side) for side in sides)
    if len(rows) == len(columns) == 1:
        return _of_tile(predictor, image)
    height, width = predictor.size
    total = np.zeros((*image.shape[:2], predictor.info.num_classes), np.float32)
    tiles = np.zeros((*image.shape[:2], 1), np.float32)
    for top, left in itertools.product(rows, columns):
        place = slice(top, top + height), slice(left, left + width)
        total[place] += _of_tile(predictor, image[place])
        tiles[place] += 1
    return tf.constant(total / tiles)


def tile_starts(length, tile):
    """Where the fewest tiles begin that cover a length, evenly spread."""
    count = math.ceil(length / tile)
    return [
        round(i * (length - tile) / max(count - 1, 1)) for i in range(count)
    ]


def _of_tile(predictor, image):
    """Probabilities of an image that the network's input has room for."""
    height, width = image.shape[:2]
    padded = np.full((*predictor.size, 3), PADDING, np.uint8)
    padded[:height, :width] = image
    logits = predictor.logits(padded)
    if not tf.reduce_all(tf.math.is_finite(logits)):
        raise UserError(
            "the network's output is not finite: it diverged in training; go "
            "back to an earlier checkpoint"
        )
    logits = resize_bilinear(logits, predictor.size, predictor.align_corners)
    return tf.nn.softmax(logits[0, :height, :width])


def _resized(image, size):
    """A uint8 image at another (height, width)."""
    if image.shape[:2] == tuple(size):
        return image
    picture = Image.fromarray(image)
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR))


def _enlarged(shares, size):
    """Probabilities at another (height, width)."""
    if tuple(shares.shape[:2]) == tuple(size):
        return shares
    return tf.image.resize(shares, size)

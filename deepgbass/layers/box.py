"""Sums and means over square windows, as functions and as layers.

Windows are clipped at the frame: a sum there has fewer terms, and a mean is
divided by the terms it has, so the mean of a constant is that constant.
"""

import numpy as np
import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.conv import FlatLayer


def check_radius(radius):
    """Raises UserError unless `radius` is a whole number above 0."""
    if not isinstance(radius, int) or radius < 1:
        raise UserError(
            f"radius: {radius!r} is not a whole number of pixels above 0"
        )


def box_filter(x, radius: int, dilation: int = 1):
    """Sum over a square window, clipped at the frame.

    A convolution, not a difference of cumulative sums, which in float32
    subtracts two numbers of the size of the whole image.

    Args:
        x: float tensor `(batch, height, width, channels)`, channels static.
        radius: the window has `2 radius + 1` samples a side, at least 3.
        dilation: pixels between neighbouring samples.

    Returns:
        The sums, in the shape and dtype of `x`.

    Raises:
        UserError: for a radius below 1 or another shape.
    """
    check_radius(radius)
    x = tf.convert_to_tensor(x)
    if x.shape.rank != 4 or x.shape[-1] is None:
        raise UserError(
            f"x: box_filter needs (batch, height, width, channels),"
            f" got {x.shape}"
        )
    side = 2 * radius + 1
    kernel = tf.ones([side, side, x.shape[-1], 1], x.dtype)
    return tf.nn.depthwise_conv2d(
        x, kernel, [1, 1, 1, 1], "SAME", dilations=[dilation, dilation]
    )


def box_mean(x, radius: int, dilation: int = 1):
    """Mean over a square window, clipped at the frame.

    Args:
        x: float tensor `(batch, height, width, channels)`; all but the batch
            static.
        radius: see `box_filter`.
        dilation: see `box_filter`.

    Returns:
        The means, in the shape and dtype of `x`.

    Raises:
        UserError: for a radius below 1, another or an unknown shape.
    """
    total = box_filter(x, radius, dilation)
    if None in tuple(total.shape[1:]):
        raise UserError(
            f"x: box_mean needs a static height and width, got {total.shape}"
        )
    return total * _inverse_count(total, radius, dilation)


def _inverse_count(x, radius, dilation=1):
    """1 / samples of each window, `(1, height, width, 1)`."""
    rows, columns = (_window_lengths(n, radius, dilation) for n in x.shape[1:3])
    count = rows[None, :, None, None] * columns[:, None]
    return tf.constant(1 / count, x.dtype)


def _window_lengths(size, radius, dilation):
    """Samples of a window at 0..size - 1 that lie within 0..size - 1."""
    before = np.arange(size) // dilation
    return np.minimum(before, radius) + np.minimum(before[::-1], radius) + 1


@keras.utils.register_keras_serializable("deepgbass")
class BoxSum(keras.layers.Layer):
    """`box_filter` as a layer without weights: nothing can train it away."""

    def __init__(self, radius, **kwargs):
        super().__init__(**kwargs)
        self.radius = radius

    def call(self, x):
        return box_filter(x, self.radius)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"radius": self.radius}


@keras.utils.register_keras_serializable("deepgbass")
class BoxNormalize(keras.layers.Layer):
    """Turns window sums into means: a constant map of 1 / (pixels in window).

    A layer of its own so that quantisation-aware training can observe the
    range of the sums as well as that of the means.
    """

    def __init__(self, radius, **kwargs):
        super().__init__(**kwargs)
        self.radius = radius

    def call(self, x):
        return x * _inverse_count(x, self.radius)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"radius": self.radius}


class BoxMean(FlatLayer):
    """Mean over a square window clipped at the frame, always in float32.

    A depthwise convolution rather than AveragePooling2D, whose int8 kernel
    forces one scale onto input and output and so loses small variances.
    """

    def __init__(self, radius, name):
        super().__init__(name=name)
        self.sum = BoxSum(radius, name=f"{name}_sum", dtype="float32")
        self.normalize = BoxNormalize(radius, name=name, dtype="float32")

    def call(self, x):
        return self.normalize(self.sum(x))

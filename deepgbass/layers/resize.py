"""Bilinear resizing as a Keras layer, in either sampling convention."""

import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.keras_api import keras


def resize_bilinear(x, size, align_corners=False):
    """Bilinear resize of `(batch, h, w, channels)` to `size`, float32."""
    if align_corners:
        return tf.compat.v1.image.resize_bilinear(x, size, align_corners=True)
    return tf.image.resize(x, size, "bilinear")


@keras.utils.register_keras_serializable("deepgbass")
class Resize(keras.layers.Layer):
    """Bilinear resize to a fixed size.

    Input `(batch, h, w, channels)`, output `(batch, height, width, channels)`
    in the layer's compute dtype.

    Args:
        size: `(height, width)` of the output, pixels.
        align_corners: False samples at pixel centres (`tf.image.resize`, the
            convention of image libraries). True maps corner pixel onto corner
            pixel, as TF1 DeepLab and its published weights do; no Keras layer
            offers it.

    Raises:
        UserError: if `size` is not two positive integers.
    """

    def __init__(self, size, align_corners=False, **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)
        self.align_corners = align_corners
        if len(self.size) != 2 or not all(
            isinstance(n, int) and n > 0 for n in self.size
        ):
            raise UserError(
                f"size: {size!r} is not a (height, width) of positive"
                " integers; the networks here need static sizes"
            )

    def call(self, x):
        y = resize_bilinear(x, self.size, self.align_corners)
        return tf.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        batch, _, _, channels = input_shape
        return tf.TensorShape([batch, *self.size, channels])

    def get_config(self):
        return super().get_config() | {
            "size": self.size,
            "align_corners": self.align_corners,
        }

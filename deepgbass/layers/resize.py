"""Bilinear resizing as a Keras layer, in either sampling convention."""

import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.keras_api import keras


def resize_bilinear(x, size, align_corners=False):
    """Bilinear resize of `(batch, h, w, channels)` to `size`, float32."""
    if align_corners:
        return tf.compat.v1.image.resize_bilinear(x, size, align_corners=True)
    return tf.image.resize(x, size, "bilinear")


def doubled_sizes(size, target, align_corners=False):
    """The sizes that a map passes if it is doubled until it has its size.

    With aligned corners, n pixels a side are doubled to 2 n - 1.

    Args:
        size: (height, width) at first; None where unknown.
        target: (height, width) in the end.
        align_corners: see `Resize`.

    Returns:
        list of (height, width), the last of them `target`; `[target]` alone
        where doubling does not lead there.
    """
    target = tuple(target)
    sizes = []
    while None not in tuple(size) and max(size) < max(target):
        size = tuple(2 * n - align_corners for n in size)
        sizes.append(size)
        if size == target:
            return sizes
        if max(size) == 1:
            break
    return [target]


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
        by_doubling: whether to double the map several times where that leads
            to `size`, as an Edge TPU resizes exactly only by 2. With pixel
            centres, two doublings are slightly smoother than one resize by 4
            (up to 1/16 of the second difference of neighbouring pixels).

    Raises:
        UserError: if `size` is not two positive integers.
    """

    def __init__(self, size, align_corners=False, by_doubling=False, **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)
        self.align_corners = align_corners
        self.by_doubling = by_doubling
        if len(self.size) != 2 or not all(
            isinstance(n, int) and n > 0 for n in self.size
        ):
            raise UserError(
                f"size: {size!r} is not a (height, width) of positive"
                " integers; the networks here need static sizes"
            )

    def call(self, x):
        sizes = [self.size]
        if self.by_doubling:
            sizes = doubled_sizes(x.shape[1:3], self.size, self.align_corners)
        for size in sizes:
            x = self.resize(x, size)
        return tf.cast(x, self.compute_dtype)

    def resize(self, x, size):
        """One step of `call`: float32 `(batch, *size, channels)`."""
        return resize_bilinear(x, size, self.align_corners)

    def compute_output_shape(self, input_shape):
        batch, _, _, channels = input_shape
        return tf.TensorShape([batch, *self.size, channels])

    def get_config(self):
        return super().get_config() | {
            "size": self.size,
            "align_corners": self.align_corners,
            "by_doubling": self.by_doubling,
        }

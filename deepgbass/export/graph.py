"""The graph that is exported: the trained network as its user runs it.

It computes what the network computes. Only what an int8 accelerator has
trouble with takes another form here: the input's scaling, means over windows
and large maps, and resizes to large ones.
"""

import itertools
import math

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.box import BoxNormalize
from deepgbass.layers.resize import Resize, resize_bilinear

# A byte b stands for (b - 128) / 127.5: an integer zero point. Training's
# scaling, b / 127.5 - 1, is higher by this.
_BYTE_OFFSET = 1 / 255

# The largest that the Edge TPU compiler is known to have mapped: a side that
# a mean is taken over, and positions (height x width) that a resize makes.
_MEAN_SIDE = 64
_RESIZE_POSITIONS = 128 * 128


def scale_bytes(image):
    """A uint8 image as the input of `export_graph(..., integer=True)`."""
    return (image.astype(np.float32) - 128) / np.float32(127.5)


def export_graph(model, output="logits", integer=True, align_corners=False):
    """A network as a graph of constants, ready for conversion.

    Args:
        model: from `build_model`, with input `(1, height, width, 3)`. It is
            left as it is.
        output: "logits" (the network's, at stride 4 behind a decoder),
            "labels" (their argmax, int32 `(1, h, w)`) or "full" (the argmax
            of the logits resized to the input, int32 `(1, height, width)`).
        integer: True expects input of (byte - 128) / 127.5, the first
            convolution takes the rest of the scaling over; False expects
            0..255 and scales as the network does.
        align_corners: how "full" resizes; see `Resize`.

    Returns:
        `ConcreteFunction` of one float32 image, without variables.

    Raises:
        UserError: the input shape is not static with batch 1.
    """
    shape = model.input_shape
    if shape[0] != 1 or None in shape:
        raise UserError(
            f"the model's input shape is {shape}; export needs a static shape "
            "with batch 1: build_model(..., batch_size=1)"
        )
    return constant_graph(exportable(model, integer), output, align_corners)


def constant_graph(network, output="logits", align_corners=False):
    """A network as it is, and what follows its logits, without variables.

    Args:
        network: Keras network with a static input shape.
        output, align_corners: as in `export_graph`.

    Returns:
        `ConcreteFunction` of one float32 image.
    """
    shape = network.input_shape

    def function(image):
        logits = network(image, training=False)
        if output == "logits":
            return logits
        if output == "full":
            logits = resize_bilinear(logits, shape[1:3], align_corners)
        return tf.argmax(logits, axis=-1, output_type=tf.int32)

    spec = tf.TensorSpec(shape, tf.float32, name="image")
    concrete = tf.function(function).get_concrete_function(spec)
    return convert_variables_to_constants_v2(concrete)


def check_size(size, stride, align_corners=False):
    """Makes sure that an input divides evenly at every stride of a network.

    Other sizes make one-sided padding and resizes that are no doublings;
    behind both, the Edge TPU compiler is known to have given up.

    Args:
        size: (height, width) in pixels.
        stride: the network's output stride.
        align_corners: such networks want a multiple of the stride plus 1.

    Raises:
        UserError: naming the nearest size that does.
    """
    extra = int(align_corners)
    good = [max(round((n - extra) / stride), 2) * stride + extra for n in size]
    if list(size) != good:
        raise UserError(
            f"--size={size[0]}x{size[1]}: the sides have to be multiples of "
            f"the network's stride {stride}{' plus 1' * extra}, from "
            f"{2 * stride + extra} on; the nearest is {good[0]}x{good[1]}"
        )


def exportable(model, integer):
    """A copy of the network in the forms of this module."""

    def copy(layer):
        kind, config = type(layer), layer.get_config()
        if kind is Resize:
            kind = SlicedResize
        elif kind is BoxNormalize:
            kind = WholeBoxNormalize
        elif kind is keras.layers.GlobalAveragePooling2D:
            kind, config = SteppedMean, {"name": layer.name}
        elif integer and layer.name == "preprocess":
            kind, config = (
                keras.layers.Activation,
                {
                    "activation": "linear",
                    "name": layer.name,
                },
            )
        return kind.from_config(config)

    network = keras.models.clone_model(model, clone_function=copy)
    network.set_weights(model.get_weights())
    if integer:
        _fold_offset(network)
    return network


def _fold_offset(network):
    """Makes up for input that is lower by `_BYTE_OFFSET` than in training.

    The first convolution would give less by the offset times the sum of its
    kernel; its batch norm's mean is lowered by as much. At the frame, where
    the kernel meets zeros, that is half a grey level too much.
    """
    layer = network.get_layer("preprocess")
    while not isinstance(layer, keras.layers.BatchNormalization):
        if isinstance(layer, keras.layers.Conv2D):
            kernel = layer.kernel
        (node,) = layer.outbound_nodes
        layer = node.outbound_layer
    lost = tf.reduce_sum(kernel, axis=(0, 1, 2)) * _BYTE_OFFSET
    layer.moving_mean.assign_sub(lost)


class SlicedResize(Resize):
    """`Resize`, its large doublings made in slices of rows.

    The result is the same, in int8 too: no operator here changes scale or
    zero point.
    """

    def resize(self, x, size):
        height, width = x.shape[1:3]
        positions = math.prod(size)
        doubled = tuple(size) == (2 * height, 2 * width)
        # A slice needs a row of its neighbours on either side.
        rows = _RESIZE_POSITIONS // (4 * width) - 2
        if (
            positions <= _RESIZE_POSITIONS
            or self.align_corners
            or not doubled
            or rows < 1
        ):
            return super().resize(x, size)
        count = math.ceil(height / rows)
        bounds = [height * i // count for i in range(count + 1)]
        slices = []
        for top, bottom in itertools.pairwise(bounds):
            above, below = max(top - 1, 0), min(bottom + 1, height)
            y = super().resize(
                x[:, above:below], (2 * (below - above), size[1])
            )
            first = 2 * (top - above)
            slices.append(y[:, first : first + 2 * (bottom - top)])
        return tf.concat(slices, axis=1)


class WholeBoxNormalize(BoxNormalize):
    """`BoxNormalize` by a factor for every pixel and channel.

    Nobody has seen the compiler map a product with one factor a pixel for
    all channels. The converter keeps one constant for all layers of a size.
    """

    def call(self, x):
        return x * super().call(tf.ones([1, *x.shape[1:]]))


class SteppedMean(keras.layers.Layer):
    """Mean of a map, `(batch, 1, 1, channels)`, large ones in two steps."""

    def call(self, x):
        window = [
            next(
                k
                for k in range(1, n + 1)
                if n % k == 0 and n // k <= _MEAN_SIDE
            )
            for n in x.shape[1:3]
        ]
        if window != [1, 1]:
            x = tf.nn.avg_pool2d(x, window, window, "VALID")
        return tf.reduce_mean(x, axis=(1, 2), keepdims=True)

"""Convolution, batch norm and ReLU: the brick of every network here.

Layer names follow the TF1 DeepLab scopes: the convolution is `<name>`, its
batch norm `<name>_bn`, its activation `<name>_relu`.
"""

import dataclasses

from deepgbass.errors import UserError
from deepgbass.keras_api import keras


@dataclasses.dataclass(frozen=True)
class ConvStyle:
    """What the convolutions of one part of a network have in common.

    Attributes:
        momentum: decay of the batch norm's moving statistics, 0..1.
        epsilon: added to the batch norm's variance.
        stddev: of the truncated normal that initialises full kernels.
        depthwise_stddev: the same for depthwise kernels.
    """

    momentum: float
    epsilon: float
    stddev: float
    depthwise_stddev: float

    def with_momentum(self, momentum: float | None) -> "ConvStyle":
        """This style with another batch norm momentum (None: unchanged).

        Raises:
            UserError: if the momentum is not a number in [0, 1).
        """
        if momentum is None:
            return self
        if not (isinstance(momentum, (int, float)) and 0 <= momentum < 1):
            raise UserError(
                f"batch_norm_momentum: {momentum!r} is not in [0, 1);"
                " use None for the reference value, or e.g. 0.99"
            )
        return dataclasses.replace(self, momentum=momentum)


# The values of TF1 slim MobileNet and of TF1 DeepLab. Batch norm follows every
# such kernel, so `stddev` sets the effective learning rate, not the scale of
# the activations.
BACKBONE = ConvStyle(0.997, 1e-3, stddev=0.09, depthwise_stddev=0.09)
HEAD = ConvStyle(0.9997, 1e-5, stddev=0.06, depthwise_stddev=0.33)


class FlatLayer(keras.layers.Layer):
    """A group of layers that stays flat in a Functional graph.

    Calling it calls the layers it owns, with no layer call around them. Keras
    tensors so meet Conv2D, BatchNormalization and the like, never a composite
    layer, which quantisation-aware training could not handle. Everywhere else
    (eager tensors, an attribute of a subclassed model: training, saving) it
    is a layer like any other.
    """

    def __call__(self, *args, **kwargs):
        return self.call(*args, **kwargs)


class ConvBN(FlatLayer):
    """A bias-free convolution, batch norm, and unless told otherwise ReLU.

    Args:
        conv: the Keras convolution; its name gives the other layers' names.
        style: momentum and epsilon of the batch norm.
        relu: False for a linear (projection) convolution.
    """

    def __init__(self, conv: keras.layers.Layer, style: ConvStyle, relu=True):
        super().__init__(name=conv.name)
        self.conv = conv
        self.norm = keras.layers.BatchNormalization(
            momentum=style.momentum,
            epsilon=style.epsilon,
            name=f"{conv.name}_bn",
        )
        self.relu = (
            keras.layers.ReLU(name=f"{conv.name}_relu") if relu else None
        )

    def call(self, x, training=None):
        x = self.norm(self.conv(x), training=training)
        return x if self.relu is None else self.relu(x)


class SeparableBN(FlatLayer):
    """A 3x3 depthwise and a 1x1 convolution, batch norm and ReLU after each.

    Args:
        filters: output channels.
        name: prefix of `<name>_depthwise` and `<name>_pointwise`.
        style: batch norm and initialisation.
        dilation: atrous rate of the depthwise kernel.
    """

    def __init__(self, filters, name, style=HEAD, dilation=1):
        super().__init__(name=name)
        self.depthwise = depthwise_bn(
            3, f"{name}_depthwise", style, dilation=dilation
        )
        self.pointwise = conv_bn(filters, 1, f"{name}_pointwise", style)

    def call(self, x, training=None):
        return self.pointwise(self.depthwise(x, training), training)


def conv_bn(
    filters, kernel_size, name, style=HEAD, strides=1, relu=True
) -> ConvBN:
    """A full convolution with TensorFlow's SAME padding; see `ConvBN`."""
    conv = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.TruncatedNormal(
            stddev=style.stddev
        ),
        name=name,
    )
    return ConvBN(conv, style, relu)


def depthwise_bn(
    kernel_size, name, style=HEAD, strides=1, dilation=1
) -> ConvBN:
    """A depthwise convolution with SAME padding; see `ConvBN`."""
    conv = keras.layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        dilation_rate=dilation,
        padding="same",
        use_bias=False,
        depthwise_initializer=keras.initializers.TruncatedNormal(
            stddev=style.depthwise_stddev
        ),
        name=name,
    )
    return ConvBN(conv, style)

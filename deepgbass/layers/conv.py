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
        relu_limit: highest output of the ReLU; None for no limit, 6 for
            ReLU6.
        offset: what the batch norm adds at first.
        symmetric: pad both sides of a strided k x k convolution alike, with
            (k - 1) / 2 zeros. False is TensorFlow's SAME, which pads an even
            side at its end alone.
    """

    momentum: float
    epsilon: float
    stddev: float
    depthwise_stddev: float
    relu_limit: float | None = None
    offset: float = 0.0
    symmetric: bool = False

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
            Where its padding is "valid", zeros are put around first.
        style: batch norm and limit of the ReLU.
        relu: False for a linear (projection) convolution.
    """

    def __init__(self, conv: keras.layers.Layer, style: ConvStyle, relu=True):
        super().__init__(name=conv.name)
        self.pad = (
            keras.layers.ZeroPadding2D(
                conv.kernel_size[0] // 2, name=f"{conv.name}_pad"
            )
            if conv.padding == "valid"
            else None
        )
        self.conv = conv
        self.norm = keras.layers.BatchNormalization(
            momentum=style.momentum,
            epsilon=style.epsilon,
            beta_initializer=keras.initializers.Constant(style.offset),
            name=f"{conv.name}_bn",
        )
        self.relu = (
            keras.layers.ReLU(style.relu_limit, name=f"{conv.name}_relu")
            if relu
            else None
        )

    def call(self, x, training=None):
        if self.pad is not None:
            x = self.pad(x)
        x = self.norm(self.conv(x), training=training)
        return x if self.relu is None else self.relu(x)


class SeparableBN(FlatLayer):
    """A 3x3 depthwise and a 1x1 convolution, batch norm and ReLU after each.

    Args:
        filters: output channels.
        name: prefix of `<name>_depthwise` and `<name>_pointwise`.
        style: batch norm and initialisation.
        strides, dilation: of the depthwise kernel.
        relu: False leaves both convolutions linear.
    """

    def __init__(
        self, filters, name, style=HEAD, strides=1, dilation=1, relu=True
    ):
        super().__init__(name=name)
        self.depthwise = depthwise_bn(
            3, f"{name}_depthwise", style, strides, dilation, relu
        )
        self.pointwise = conv_bn(
            filters, 1, f"{name}_pointwise", style, relu=relu
        )

    def call(self, x, training=None):
        return self.pointwise(self.depthwise(x, training), training)


def conv_bn(
    filters, kernel_size, name, style=HEAD, strides=1, relu=True
) -> ConvBN:
    """A full convolution that keeps size / strides; see `ConvBN`."""
    conv = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=_padding(style, kernel_size, strides),
        use_bias=False,
        kernel_initializer=keras.initializers.TruncatedNormal(
            stddev=style.stddev
        ),
        name=name,
    )
    return ConvBN(conv, style, relu)


def depthwise_bn(
    kernel_size, name, style=HEAD, strides=1, dilation=1, relu=True
) -> ConvBN:
    """A depthwise convolution that keeps size / strides; see `ConvBN`."""
    conv = keras.layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        dilation_rate=dilation,
        padding=_padding(style, kernel_size, strides),
        use_bias=False,
        depthwise_initializer=keras.initializers.TruncatedNormal(
            stddev=style.depthwise_stddev
        ),
        name=name,
    )
    return ConvBN(conv, style, relu)


def _padding(style, kernel_size, strides):
    symmetric = style.symmetric and strides > 1 and kernel_size > 1
    return "valid" if symmetric else "same"

"""The deep guided block (Fig. 3 of the paper) and its box filter.

The guided filter (He et al. 2013) writes the output as a locally linear
function of a guide, r = A g + b. The deep form (Wu et al. 2018) learns A from
the local variance of the guide and its covariance with the feature. This one
is written for int8 accelerators: it subtracts the means before it multiplies
and contains no division, so it is trained in the very form that is exported.
"""

import numpy as np
import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.conv import HEAD, FlatLayer, conv_bn


def box_filter(x, radius: int):
    """Sum over a square window, clipped at the frame.

    Args:
        x: float tensor `(batch, height, width, channels)`.
        radius: the window is `(2 radius + 1)` pixels wide and high.

    Returns:
        The sums, in the shape and dtype of `x`.
    """
    side = 2 * radius + 1
    kernel = tf.ones([side, side, x.shape[-1], 1], x.dtype)
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")


def _window_lengths(size, radius):
    """Pixels of a window of 2 radius + 1 that lie within 0..size - 1."""
    i = np.arange(size)
    return np.minimum(i + radius, size - 1) - np.maximum(i - radius, 0) + 1


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
        rows, columns = (_window_lengths(n, self.radius) for n in x.shape[1:3])
        count = rows[None, :, None, None] * columns[:, None]
        return x * tf.constant(1 / count, x.dtype)

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


class DeepGuidedBlock(FlatLayer):
    """Refines a feature with the edges of a guide (Fig. 3).

    With mean(.) over a window of `2 radius + 1` pixels, clipped at the frame:

        dg  = g - mean(g),     df  = f - mean(f)
        var = mean(dg * dg),   cov = mean(dg * df)
        A   = conv1x1(relu(bn(conv1x1(relu(bn(conv1x1([cov, var])))))))
        r   = A * dg + mean(f)

    that is r = A g + b with b = mean(f) - A mean(g), every product taken per
    channel. Section III.A leaves A's network open; two hidden layers of 64
    channels reproduce the sizes in Table II.

    Works on eager tensors, inside a `keras.Model`'s `call`, and on Keras
    tensors, once a graph, where it leaves ordinary layers behind (see
    `FlatLayer`). The statistics are float32 under a mixed precision policy.

    Args:
        channels: of feature, guide and result.
        hidden_channels: width of the network that predicts A.
        radius: of the window, pixels, at least 1.
        batch_norm_momentum: None is the reference 0.9997, for long training.
        name: prefix of all layer names.

    Raises:
        UserError: for a radius below 1.
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: int = 64,
        radius: int = 1,
        batch_norm_momentum: float | None = None,
        name: str = "guided",
    ):
        super().__init__(name=name)
        if not isinstance(radius, int) or radius < 1:
            raise UserError(
                f"radius: {radius!r} is not a whole number of pixels above 0"
            )
        self.channels = channels
        style = HEAD.with_momentum(batch_norm_momentum)
        layers = keras.layers
        exact = {"dtype": "float32"}

        self.guide_mean = BoxMean(radius, f"{name}_guide_mean")
        self.feature_mean = BoxMean(radius, f"{name}_feature_mean")
        self.guide_detail = layers.Subtract(
            name=f"{name}_guide_detail", **exact
        )
        self.feature_detail = layers.Subtract(
            name=f"{name}_feature_detail", **exact
        )
        self.square = layers.Multiply(name=f"{name}_square", **exact)
        self.product = layers.Multiply(name=f"{name}_product", **exact)
        self.variance = BoxMean(radius, f"{name}_variance")
        self.covariance = BoxMean(radius, f"{name}_covariance")

        self.concat = layers.Concatenate(name=f"{name}_concat")
        self.hidden = [
            conv_bn(hidden_channels, 1, f"{name}_conv{i}", style)
            for i in range(2)
        ]
        self.coefficient = layers.Conv2D(
            channels, 1, use_bias=False, name=f"{name}_conv2"
        )
        self.scale = layers.Multiply(name=f"{name}_scale")
        self.add = layers.Add(name=f"{name}_add")

    def call(self, feature, guide, training=None):
        """Returns the refined feature.

        Args:
            feature: f, `(batch, height, width, channels)`, static size.
            guide: g, of the same shape.
            training: whether batch norm uses the batch's own statistics;
                Keras decides where it calls.

        Raises:
            UserError: if the shapes differ from each other or `channels`, or
                height and width are unknown.
        """
        shape = tuple(feature.shape[1:])
        if (
            shape != tuple(guide.shape[1:])
            or shape[-1] != self.channels
            or None in shape
        ):
            raise UserError(
                f"feature {tuple(feature.shape)} and guide"
                f" {tuple(guide.shape)}: need equal, static"
                f" (batch, height, width, {self.channels})"
            )
        feature_mean = self.feature_mean(feature)
        guide_detail = self.guide_detail([guide, self.guide_mean(guide)])
        feature_detail = self.feature_detail([feature, feature_mean])
        variance = self.variance(self.square([guide_detail, guide_detail]))
        covariance = self.covariance(
            self.product([guide_detail, feature_detail])
        )
        x = self.concat([covariance, variance])
        for conv in self.hidden:
            x = conv(x, training)
        detail = self.scale([self.coefficient(x), guide_detail])
        return self.add([detail, feature_mean])

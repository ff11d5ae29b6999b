"""The deep guided block (Fig. 3 of the paper).

The guided filter (He et al. 2013) writes the output as a locally linear
function of a guide, r = A g + b. The deep form (Wu et al. 2018) learns A from
the local variance of the guide and its covariance with the feature. This one
is written for int8 accelerators: it subtracts the means before it multiplies
and contains no division, so it is trained in the very form that is exported.
The two forms it comes from are here for study; docs/guided-block.md compares
all three.
"""

from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.box import BoxMean, check_radius
from deepgbass.layers.conv import HEAD, FlatLayer, conv_bn
from deepgbass.layers.guided_filter import (
    check_eps,
    closed_slope,
    local_moments,
)

FORMS = ("centred", "uncentred", "closed")


@keras.utils.register_keras_serializable("deepgbass")
class LocalMoments(keras.layers.Layer):
    """`local_moments` of `[feature, guide]` as a layer without weights."""

    def __init__(self, radius, dilation=1, **kwargs):
        super().__init__(**kwargs)
        self.radius = radius
        self.dilation = dilation

    def call(self, inputs):
        return local_moments(*inputs, self.radius, self.dilation)

    def get_config(self):
        return super().get_config() | {
            "radius": self.radius,
            "dilation": self.dilation,
        }


class DeepGuidedBlock(FlatLayer):
    """Refines a feature with the edges of a guide (Fig. 3).

    With mean(.) over a window of `2 radius + 1` pixels, clipped at the frame:

        dg  = g - mean(g),     df  = f - mean(f)
        var = mean(dg * dg),   cov = mean(dg * df)
        A   = tanh(conv1x1(relu(bn(conv1x1(relu(bn(conv1x1([cov, var]))))))))
        r   = A * dg + mean(f)

    that is r = A g + b with b = mean(f) - A mean(g), every product taken per
    channel. Section III.A leaves A's network open; two hidden layers of 64
    channels reproduce the sizes in Table II.

    This is the form "centred", the one to train and export. Two others, for
    study, differ in how they come to A, and both are numerically worse in
    int8:

    - "uncentred" (Wu et al. 2018): var = mean(g g) - mean(g) mean(g), cov
      likewise, over 3x3 samples that are `radius` pixels apart; A learned.
    - "closed" (He et al. 2013): these moments over the full window and
      A = cov / (var + eps). No weights. Does not map to the Edge TPU, which
      has no division.

    Works on eager tensors, inside a `keras.Model`'s `call`, and on Keras
    tensors, once a graph, where it leaves ordinary layers behind (see
    `FlatLayer`). The statistics are float32 under a mixed precision policy.

    Args:
        channels: of feature, guide and result.
        hidden_channels: width of the network that predicts A.
        radius: of the window, pixels, at least 1.
        batch_norm_momentum: None is the reference 0.9997, for long training.
        name: prefix of all layer names.
        form: one of `FORMS`.
        eps: of the closed form, see `closed_coefficients`.

    Raises:
        UserError: for a radius below 1, an unknown form, an eps not above 0.
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: int = 64,
        radius: int = 1,
        batch_norm_momentum: float | None = None,
        name: str = "guided",
        *,
        form: str = "centred",
        eps: float = 1e-2,
    ):
        super().__init__(name=name)
        check_radius(radius)
        check_eps(eps)
        if form not in FORMS:
            raise UserError(f"form: {form!r} is not one of {', '.join(FORMS)}")
        self.channels = channels
        self.form = form
        self.eps = eps
        layers = keras.layers
        exact = {"dtype": "float32"}

        self.guide_detail = layers.Subtract(
            name=f"{name}_guide_detail", **exact
        )
        if form == "centred":
            self.guide_mean = BoxMean(radius, f"{name}_guide_mean")
            self.feature_mean = BoxMean(radius, f"{name}_feature_mean")
            self.feature_detail = layers.Subtract(
                name=f"{name}_feature_detail", **exact
            )
            self.square = layers.Multiply(name=f"{name}_square", **exact)
            self.product = layers.Multiply(name=f"{name}_product", **exact)
            self.variance = BoxMean(radius, f"{name}_variance")
            self.covariance = BoxMean(radius, f"{name}_covariance")
        else:
            window = (1, radius) if form == "uncentred" else (radius, 1)
            self.moments = LocalMoments(
                *window, name=f"{name}_moments", **exact
            )
        if form != "closed":
            style = HEAD.with_momentum(batch_norm_momentum)
            self.concat = layers.Concatenate(name=f"{name}_concat")
            self.hidden = [
                conv_bn(hidden_channels, 1, f"{name}_conv{i}", style)
                for i in range(2)
            ]
            self.coefficient = layers.Conv2D(
                channels, 1, use_bias=False, name=f"{name}_conv2"
            )
            # Bounds for int8: docs/guided-block.md. Wu et al. have none.
            self.bound = (
                layers.Activation("tanh", name=f"{name}_bound")
                if form == "centred"
                else None
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
        a, detail, mean = self.coefficients(feature, guide, training)
        return self.add([self.scale([a, detail]), mean])

    def coefficients(self, feature, guide, training=None):
        """A, g - mean(g) and mean(f): all of r but its last line.

        Arguments and errors are those of `call`; each result has its shape.
        With these, `b = mean(f) - A mean(g)` can go to `apply_coefficients`.
        """
        self._check(feature, guide)
        statistics = self._centred if self.form == "centred" else self._moments
        feature_mean, guide_detail, covariance, variance = statistics(
            feature, guide
        )
        if self.form == "closed":
            a = closed_slope(covariance, variance, self.eps)
        else:
            x = self.concat([covariance, variance])
            for conv in self.hidden:
                x = conv(x, training)
            a = self.coefficient(x)
            if self.bound is not None:
                a = self.bound(a)
        return a, guide_detail, feature_mean

    def _centred(self, feature, guide):
        feature_mean = self.feature_mean(feature)
        guide_detail = self.guide_detail([guide, self.guide_mean(guide)])
        feature_detail = self.feature_detail([feature, feature_mean])
        variance = self.variance(self.square([guide_detail, guide_detail]))
        covariance = self.covariance(
            self.product([guide_detail, feature_detail])
        )
        return feature_mean, guide_detail, covariance, variance

    def _moments(self, feature, guide):
        feature_mean, guide_mean, covariance, variance = self.moments(
            [feature, guide]
        )
        guide_detail = self.guide_detail([guide, guide_mean])
        return feature_mean, guide_detail, covariance, variance

    def _check(self, feature, guide):
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

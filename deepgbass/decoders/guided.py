"""The deep guided decoder (Fig. 2), DGD-k in Table II."""

import dataclasses

from deepgbass.layers.conv import HEAD, FlatLayer, SeparableBN, conv_bn
from deepgbass.layers.guided import DeepGuidedBlock
from deepgbass.layers.resize import Resize


class DeepGuidedDecoder(FlatLayer):
    """Upsamples a semantic feature along the edges of a low-level one.

    The guide is reduced to `guide_channels` and then to the feature's
    `channels`, batch normalised around 3 and cut off at 0 and 6: the block
    subtracts its mean anyway, and int8 needs bounds. The feature is resized
    to the guide's size, refined by `DeepGuidedBlock` and filtered by two 3x3
    separable convolutions. A 1x1 convolution to logits belongs behind it.

    The reduction through 48 channels is the reading of Fig. 2 that reproduces
    Table II. Works wherever a `DeepGuidedBlock` does: with any backbone, in
    Functional and subclassed models and on eager tensors.

    Args:
        channels: k, of the feature, the refined feature and the output.
        guide_channels: width of the guide's first reduction.
        hidden_channels: width inside the guided block.
        radius: of the guided block's window, pixels at the guide's size.
        align_corners: see `Resize`.
        batch_norm_momentum: None is the reference 0.9997, for long training.
        name: prefix of all layer names.

    Raises:
        UserError: for a radius below 1.
    """

    def __init__(
        self,
        channels: int = 64,
        guide_channels: int = 48,
        hidden_channels: int = 64,
        radius: int = 1,
        align_corners: bool = False,
        batch_norm_momentum: float | None = None,
        name: str = "decoder",
    ):
        super().__init__(name=name)
        style = HEAD.with_momentum(batch_norm_momentum)
        self.align_corners = align_corners
        self.reduce = conv_bn(
            guide_channels, 1, f"{name}_feature_projection0", style
        )
        # Three standard deviations lie within: nearly linear to begin with.
        bounded = dataclasses.replace(style, relu_limit=6.0, offset=3.0)
        self.guide = conv_bn(channels, 1, f"{name}_guide_projection", bounded)
        self.block = DeepGuidedBlock(
            channels,
            hidden_channels,
            radius,
            batch_norm_momentum,
            name=f"{name}_guided",
        )
        self.filters = [
            SeparableBN(channels, f"{name}_conv{i}", style) for i in range(2)
        ]

    def call(self, feature, guide, training=None):
        """Returns the refined feature `(batch, height, width, channels)`.

        Args:
            feature: `(batch, h, w, channels)`; project it first if need be.
            guide: low-level feature `(batch, height, width, any)`, static
                height and width.
            training: whether batch norm uses the batch's own statistics;
                Keras decides where it calls.

        Raises:
            UserError: for another number of channels or an unknown size.
        """
        resize = Resize(
            guide.shape[1:3],
            self.align_corners,
            by_doubling=True,
            name=f"{self.name}_resize",
        )
        guide = self.guide(self.reduce(guide, training), training)
        x = self.block(resize(feature), guide, training)
        for separable in self.filters:
            x = separable(x, training)
        return x

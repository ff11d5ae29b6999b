"""MobileNetEdgeTPU (Howard et al. 2019; slim's `V3_EDGETPU`).

Early blocks *fuse* expansion and filtering in one full k x k convolution,
which an Edge TPU runs faster than the cheaper depthwise pair; later blocks
are inverted residuals. No squeeze-and-excite, and ReLU rather than ReLU6.
"""

from deepgbass.backbones.mobilenet import Layer, mobilenet
from deepgbass.errors import UserError
from deepgbass.layers.conv import BACKBONE

LAYERS = (
    Layer("conv", 3, 2, 1, 32),
    Layer("fused", 3, 1, 1, 16),
    Layer("fused", 3, 2, 8, 32),
    *[Layer("fused", 3, 1, 4, 32)] * 3,
    Layer("fused", 3, 2, 8, 48),
    *[Layer("fused", 3, 1, 4, 48)] * 3,
    Layer("inverted", 3, 2, 8, 96),
    *[Layer("inverted", 3, 1, 4, 96)] * 3,
    Layer("inverted", 3, 1, 8, 96, residual=False),
    *[Layer("inverted", 3, 1, 4, 96)] * 3,
    Layer("inverted", 5, 2, 8, 160),
    *[Layer("inverted", 5, 1, 4, 160)] * 3,
    Layer("inverted", 3, 1, 8, 192),
    Layer("conv", 1, 1, 1, 1280),
)

LOW_LEVEL = "layer_6/expansion_output"


def mobilenet_edgetpu(
    inputs,
    depth_multiplier: float = 1.0,
    output_stride: int = 16,
    last_layer: int | None = None,
    batch_norm_momentum: float | None = None,
    last_layer_channels: int | None = None,
) -> dict:
    """Adds the backbone to a graph and returns its end points.

    Args:
        inputs: images `(batch, height, width, 3)` scaled to -1..1.
        depth_multiplier: scales all widths, rounded to multiples of 8.
        output_stride: 8, 16 or 32.
        last_layer: 23 (or None) ends at the last block (192 channels, linear;
            Table II of the paper), 24 adds the 1x1 convolution to 1280
            channels (the zoo's EdgeTPU-DeepLab).
        batch_norm_momentum: None is the reference 0.997, meant for long
            training; `build_model` says how to choose it for short runs.
        last_layer_channels: width of layer 24 where it does not follow the
            depth multiplier (Google's published 0.75 models keep 1280).

    Returns:
        End points as `mobilenet` gives them. `LOW_LEVEL` is the stride 4 one
        that decoders use, 128 channels after ReLU; the last is the feature.

    Raises:
        UserError: for another output stride, last layer or momentum.
    """
    last_layer = 23 if last_layer is None else last_layer
    if last_layer not in (23, 24):
        raise UserError(
            f"last_layer: {last_layer!r} is not 23 (192 channels) or"
            " 24 (1280 channels)"
        )
    if last_layer_channels is not None and last_layer == 23:
        raise UserError(
            f"last_layer_channels: {last_layer_channels!r} is the width of"
            " layer 24; give last_layer=24 as well"
        )
    return mobilenet(
        inputs,
        LAYERS[:last_layer],
        BACKBONE.with_momentum(batch_norm_momentum),
        depth_multiplier,
        output_stride,
        last_layer_channels=last_layer_channels,
    )

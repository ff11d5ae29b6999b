"""MobileNetV2 (Sandler et al. 2018) as in TF1 DeepLab: to layer 18, ReLU6."""

import dataclasses

from deepgbass.backbones.mobilenet import Layer, mobilenet
from deepgbass.layers.conv import BACKBONE

LAYERS = (
    Layer("conv", 3, 2, 1, 32),
    Layer("inverted", 3, 1, 1, 16),
    Layer("inverted", 3, 2, 6, 24),
    Layer("inverted", 3, 1, 6, 24),
    Layer("inverted", 3, 2, 6, 32),
    *[Layer("inverted", 3, 1, 6, 32)] * 2,
    Layer("inverted", 3, 2, 6, 64),
    *[Layer("inverted", 3, 1, 6, 64)] * 3,
    *[Layer("inverted", 3, 1, 6, 96)] * 3,
    Layer("inverted", 3, 2, 6, 160),
    *[Layer("inverted", 3, 1, 6, 160)] * 2,
    Layer("inverted", 3, 1, 6, 320),
)

LOW_LEVEL = "layer_4/depthwise_output"


def mobilenet_v2(
    inputs,
    depth_multiplier: float = 1.0,
    output_stride: int = 16,
    batch_norm_momentum: float | None = None,
    width_divisor: int = 8,
) -> dict:
    """Adds the backbone to a graph and returns its end points.

    Args:
        inputs: images `(batch, height, width, 3)` scaled to -1..1.
        depth_multiplier: scales all widths.
        output_stride: 8, 16 or 32.
        batch_norm_momentum: None is the reference 0.997.
        width_divisor: what widths are rounded to multiples of; the zoo's
            half-width models use 4.

    Returns:
        End points as `mobilenet` gives them. `LOW_LEVEL` is the stride 4 one
        that decoders use, 144 channels after ReLU6; the last is the feature,
        320 channels, linear.

    Raises:
        UserError: for another output stride or momentum.
    """
    style = BACKBONE.with_momentum(batch_norm_momentum)
    return mobilenet(
        inputs,
        LAYERS,
        dataclasses.replace(style, relu_limit=6.0),
        depth_multiplier,
        output_stride,
        width_divisor,
    )

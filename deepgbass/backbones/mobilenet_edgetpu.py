"""MobileNetEdgeTPU (Howard et al. 2019; slim's `V3_EDGETPU`).

Early blocks *fuse* expansion and filtering in one full k x k convolution,
which an Edge TPU runs faster than the cheaper depthwise pair; later blocks
are inverted residuals. No squeeze-and-excite, and ReLU rather than ReLU6.
"""

import dataclasses

from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.conv import BACKBONE, conv_bn, depthwise_bn


@dataclasses.dataclass(frozen=True)
class Layer:
    """One row of the architecture table.

    Attributes:
        kind: "conv" (convolution + ReLU), "fused" (k x k convolution that
            expands, then 1x1 projection) or "inverted" (1x1 expansion, k x k
            depthwise, 1x1 projection). Projections are linear.
        kernel: k.
        stride: before the output stride takes it away.
        expansion: inner width over input width; 1 leaves the projection alone.
        channels: output width at depth multiplier 1.
        residual: False forbids the shortcut even where shapes allow it.
    """

    kind: str
    kernel: int
    stride: int
    expansion: int
    channels: int
    residual: bool = True


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


def make_divisible(value: float, divisor: int = 8) -> int:
    """Nearest multiple of `divisor` that is at least 0.9 `value`."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * value else rounded + divisor


def mobilenet_edgetpu(
    inputs,
    depth_multiplier: float = 1.0,
    output_stride: int = 16,
    last_layer: int = 23,
    batch_norm_momentum: float | None = None,
    last_layer_channels: int | None = None,
) -> dict:
    """Adds the backbone to a graph and returns its end points.

    A feature at stride s of an n pixel side has ceil(n / s) pixels. Once
    `output_stride` is reached, later strides become dilations.

    Args:
        inputs: images `(batch, height, width, 3)` scaled to -1..1.
        depth_multiplier: scales all widths, rounded to multiples of 8.
        output_stride: 8, 16 or 32.
        last_layer: 23 ends at the last block (192 channels, linear; Table II
            of the paper), 24 adds the 1x1 convolution to 1280 channels (the
            zoo's EdgeTPU-DeepLab).
        batch_norm_momentum: None is the reference 0.997, meant for long
            training; `build_model` says how to choose it for short runs.
        last_layer_channels: width of layer 24 where it does not follow the
            depth multiplier (Google's published 0.75 models keep 1280).

    Returns:
        Slim's end point names and their tensors: "layer_1" .. "layer_24", and
        "layer_i/expansion_output", "layer_i/depthwise_output" inside blocks
        (after ReLU). `LOW_LEVEL` is the stride 4 one that decoders use.

    Raises:
        UserError: for an output stride, last layer, multiplier or momentum
            outside these ranges.
    """
    _check(depth_multiplier, output_stride, last_layer)
    style = BACKBONE.with_momentum(batch_norm_momentum)
    ends = {}
    x, stride, rate = inputs, 1, 1
    for i, layer in enumerate(LAYERS[:last_layer], 1):
        channels = make_divisible(layer.channels * depth_multiplier)
        if i == len(LAYERS):
            channels = last_layer_channels or channels
        # A layer that loses its stride still reads the grid it always read;
        # those behind it find their neighbours that many pixels further off.
        if stride < output_stride:
            strides, dilation = layer.stride, 1
            stride *= layer.stride
        else:
            strides, dilation = 1, rate
            rate *= layer.stride

        if layer.kind == "conv":
            name = "Conv" if i == 1 else "Conv_1"
            conv = conv_bn(channels, layer.kernel, name, style, strides)
            x = ends[f"layer_{i}"] = conv(x)
            continue

        name = "expanded_conv" if i == 2 else f"expanded_conv_{i - 2}"
        block_input = x
        if layer.expansion > 1:
            inner = make_divisible(x.shape[-1] * layer.expansion)
            fused = layer.kind == "fused"
            kernel, step = (layer.kernel, strides) if fused else (1, 1)
            x = conv_bn(inner, kernel, f"{name}_expand", style, step)(x)
            ends[f"layer_{i}/expansion_output"] = x
        if layer.kind == "inverted":
            x = depthwise_bn(
                layer.kernel, f"{name}_depthwise", style, strides, dilation
            )(x)
            ends[f"layer_{i}/depthwise_output"] = x
        x = conv_bn(channels, 1, f"{name}_project", style, relu=False)(x)
        same_width = x.shape[-1] == block_input.shape[-1]
        if layer.residual and strides == 1 and same_width:
            x = keras.layers.Add(name=f"{name}_add")([block_input, x])
        ends[f"layer_{i}"] = x
    return ends


def _check(depth_multiplier, output_stride, last_layer):
    if not (
        isinstance(depth_multiplier, (int, float)) and depth_multiplier > 0
    ):
        raise UserError(
            f"depth_multiplier: {depth_multiplier!r} is not a positive number;"
            " use e.g. 1.0 or 0.5"
        )
    if output_stride not in (8, 16, 32):
        raise UserError(f"output_stride: {output_stride!r} is not 8, 16 or 32")
    if last_layer not in (23, 24):
        raise UserError(
            f"last_layer: {last_layer!r} is not 23 (192 channels) or"
            " 24 (1280 channels)"
        )

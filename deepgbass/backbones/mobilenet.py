"""What the MobileNets share: a table of layers, and its graph."""

import dataclasses

from deepgbass.backbones.atrous import atrous
from deepgbass.keras_api import keras
from deepgbass.layers.conv import ConvStyle, conv_bn, depthwise_bn


@dataclasses.dataclass(frozen=True)
class Layer:
    """One row of an architecture's table.

    Attributes:
        kind: "conv" (convolution + ReLU), "fused" (k x k convolution that
            expands, then 1x1 projection) or "inverted" (1x1 expansion, k x k
            depthwise, 1x1 projection). Projections are linear.
        kernel: k.
        stride: before the output stride takes it away.
        expansion: inner width over input width; 1 leaves the expansion out.
        channels: output width at depth multiplier 1.
        residual: False forbids the shortcut even where shapes allow it.
    """

    kind: str
    kernel: int
    stride: int
    expansion: int
    channels: int
    residual: bool = True


def make_divisible(value: float, divisor: int = 8) -> int:
    """Nearest multiple of `divisor` that is at least 0.9 `value`."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * value else rounded + divisor


def mobilenet(
    inputs,
    layers: tuple[Layer, ...],
    style: ConvStyle,
    depth_multiplier: float = 1.0,
    output_stride: int = 16,
    width_divisor: int = 8,
    last_layer_channels: int | None = None,
) -> dict:
    """Adds a MobileNet to a graph and returns its end points.

    A feature at stride s of an n pixel side has ceil(n / s) pixels.

    Args:
        inputs: images `(batch, height, width, 3)` scaled to -1..1.
        layers: the table, up to the last layer wanted.
        style: batch norm, initialisation and limit of the ReLU.
        depth_multiplier: scales all widths, rounded to multiples of
            `width_divisor`.
        output_stride: 8, 16 or 32; see `atrous`.
        width_divisor: what all widths are multiples of.
        last_layer_channels: width of the last layer where it does not follow
            the depth multiplier.

    Returns:
        Slim's end point names and their tensors in order: "layer_1" ..
        "layer_n", and before "layer_i", for blocks,
        "layer_i/expansion_output" and "layer_i/depthwise_output" (after
        ReLU).

    Raises:
        UserError: for another output stride.
    """
    ends = {}
    x = inputs
    steps = atrous((layer.stride for layer in layers), output_stride)
    for i, (layer, (strides, dilation)) in enumerate(
        zip(layers, steps, strict=True), 1
    ):
        channels = make_divisible(
            layer.channels * depth_multiplier, width_divisor
        )
        if i == len(layers):
            channels = last_layer_channels or channels

        if layer.kind == "conv":
            name = "Conv" if i == 1 else "Conv_1"
            conv = conv_bn(channels, layer.kernel, name, style, strides)
            x = ends[f"layer_{i}"] = conv(x)
            continue

        name = "expanded_conv" if i == 2 else f"expanded_conv_{i - 2}"
        block_input = x
        if layer.expansion > 1:
            inner = make_divisible(x.shape[-1] * layer.expansion, width_divisor)
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

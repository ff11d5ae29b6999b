"""Xception65 (Chollet 2017), modified as in DeepLabv3+ (Chen et al. 2018).

Max pooling is replaced by strided separable convolutions, and every depthwise
convolution has a batch norm of its own.
"""

import dataclasses

from deepgbass.backbones.atrous import atrous
from deepgbass.keras_api import keras
from deepgbass.layers.conv import BACKBONE, SeparableBN, conv_bn


@dataclasses.dataclass(frozen=True)
class Unit:
    """Three separable convolutions and a shortcut around them.

    Attributes:
        name: of its layers.
        channels: outputs of the three at depth multiplier 1.
        stride: of the third, before the output stride takes it away.
        shortcut: "conv" (1x1, with the stride), "sum" or "none".
        relu_first: True puts one ReLU before each separable convolution, and
            none behind; False one behind each of its two parts.
    """

    name: str
    channels: tuple[int, int, int]
    stride: int
    shortcut: str
    relu_first: bool = True


UNITS = (
    Unit("entry_flow_block1_unit_1", (128, 128, 128), 2, "conv"),
    Unit("entry_flow_block2_unit_1", (256, 256, 256), 2, "conv"),
    Unit("entry_flow_block3_unit_1", (728, 728, 728), 2, "conv"),
    *[
        Unit(f"middle_flow_block1_unit_{i}", (728, 728, 728), 1, "sum")
        for i in range(1, 17)
    ],
    Unit("exit_flow_block1_unit_1", (728, 1024, 1024), 2, "conv"),
    Unit(
        "exit_flow_block2_unit_1",
        (1536, 1536, 2048),
        1,
        "none",
        relu_first=False,
    ),
)

LOW_LEVEL = "entry_flow_block2_unit_1_separable_conv2"


def xception65(
    inputs,
    depth_multiplier: float = 1.0,
    output_stride: int = 16,
    batch_norm_momentum: float | None = None,
) -> dict:
    """Adds the backbone to a graph and returns its end points.

    A feature at stride s of an n pixel side has ceil(n / s) pixels; strided
    convolutions pad both sides alike.

    Args:
        inputs: images `(batch, height, width, 3)` scaled to -1..1.
        depth_multiplier: scales the widths of all units, rounded down but not
            below 8; the two convolutions before them keep 32 and 64.
        output_stride: 8, 16 or 32.
        batch_norm_momentum: None is the reference 0.9997.

    Returns:
        Tensors in order by name: "entry_flow_conv1_1", "entry_flow_conv1_2",
        every unit of `UNITS`, and before it "<unit>_separable_conv<1..3>".
        `LOW_LEVEL` is the stride 4 one that decoders use, 256 channels before
        its ReLU; the last is the feature, 2048 channels after ReLU.

    Raises:
        UserError: for another output stride or momentum.
    """
    style = dataclasses.replace(
        BACKBONE, momentum=0.9997, symmetric=True
    ).with_momentum(batch_norm_momentum)
    # The first is conv1_1's.
    steps = atrous([2, *(unit.stride for unit in UNITS)], output_stride)
    ends = {}
    x = conv_bn(32, 3, "entry_flow_conv1_1", style, next(steps)[0])(inputs)
    ends["entry_flow_conv1_1"] = x
    x = conv_bn(64, 3, "entry_flow_conv1_2", style)(x)
    ends["entry_flow_conv1_2"] = x
    for unit, (stride, dilation) in zip(UNITS, steps, strict=True):
        widths = [max(8, int(c * depth_multiplier)) for c in unit.channels]
        unit_input = x
        for i, width in enumerate(widths, 1):
            name = f"{unit.name}_separable_conv{i}"
            if unit.relu_first:
                x = keras.layers.ReLU(name=f"{name}_relu")(x)
            strides = stride if i == len(widths) else 1
            x = SeparableBN(
                width, name, style, strides, dilation, relu=not unit.relu_first
            )(x)
            ends[name] = x
        if unit.shortcut == "conv":
            unit_input = conv_bn(
                widths[-1],
                1,
                f"{unit.name}_shortcut",
                style,
                stride,
                relu=False,
            )(unit_input)
        if unit.shortcut != "none":
            x = keras.layers.Add(name=f"{unit.name}_add")([unit_input, x])
        ends[unit.name] = x
    return ends

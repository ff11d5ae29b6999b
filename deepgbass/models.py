"""`build_model`: backbone -> ASPP -> decoder -> logits."""

import inspect
import math

from deepgbass.backbones import mobilenet_edgetpu, mobilenet_v2, xception
from deepgbass.backbones.atrous import OUTPUT_STRIDES
from deepgbass.configs import DECODERS
from deepgbass.decoders.deeplab_v3plus import deeplab_v3plus_decoder
from deepgbass.decoders.guided import DeepGuidedDecoder
from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.aspp import aspp
from deepgbass.layers.conv import HEAD

# Each with the name of its low-level end point, at stride 4.
_BACKBONES = {
    "mobilenet_edgetpu": (
        mobilenet_edgetpu.mobilenet_edgetpu,
        mobilenet_edgetpu.LOW_LEVEL,
    ),
    "mobilenet_v2": (mobilenet_v2.mobilenet_v2, mobilenet_v2.LOW_LEVEL),
    "xception65": (xception.xception65, xception.LOW_LEVEL),
}


def build_model(
    backbone: str = "mobilenet_edgetpu",
    decoder: str | None = "guided",
    decoder_channels: int = 64,
    num_classes: int = 19,
    input_shape: tuple[int, int, int] = (512, 1024, 3),
    output_stride: int = 16,
    depth_multiplier: float = 1.0,
    aspp_channels: int = 256,
    aspp_rates: tuple[int, ...] = (),
    align_corners: bool = False,
    box_radius: int = 1,
    batch_norm_momentum: float | None = None,
    batch_size: int | None = None,
    **backbone_options,
) -> keras.Model:
    """Builds a segmentation network as one flat Functional model.

    The defaults are DGD-64 of Table II. Input: RGB
    `(batch, height, width, 3)` in 0..255, scaled to -1..1 inside. Output:
    logits `(batch, h, w, num_classes)`, float32, with h = ceil(height / 4)
    behind a decoder and ceil(height / output_stride) without one; resizing
    them to the image is the caller's, as the Edge TPU cannot.

    Args:
        backbone: "mobilenet_edgetpu", "mobilenet_v2" or "xception65".
        decoder: "guided" (DGD, Fig. 2), "deeplab_v3plus" (DLv3D) or None.
        decoder_channels: k of DGD-k and DLv3D-k. Without a decoder the ASPP
            output keeps `aspp_channels`.
        num_classes: classes to predict, without the ignored one.
        input_shape: `(height, width, 3)`, each side above `output_stride`;
            odd, even and rectangular sizes all do.
        output_stride: 8, 16 or 32.
        depth_multiplier: scales the backbone's widths.
        aspp_channels: width of the ASPP branches.
        aspp_rates: dilations of extra ASPP branches; mobile models have none,
            Xception65 has (6, 12, 18) at output stride 16, twice that at 8.
        align_corners: resize as TF1 DeepLab does, for its published weights.
        box_radius: window radius of the guided block, stride 4 pixels.
        batch_norm_momentum: None for the reference (0.997 in MobileNets,
            0.9997 elsewhere), right for fine-tuning over 100,000 steps.
            Short training from scratch needs less: evaluation uses moving
            variances that start at 1, tens of times too high, and keep
            momentum ** steps of that (0.9997 ** 2000 = 0.55). Choose it so
            that this is below 1e-4: 0.99 from 1,000 steps, 0.95 from 200.
        batch_size: fixed batch, 1 for export.
        **backbone_options: `last_layer` and `last_layer_channels` of
            `mobilenet_edgetpu`, `width_divisor` of `mobilenet_v2`.

    Raises:
        UserError: naming the argument that cannot be built.
    """
    _check_choice("backbone", backbone, _BACKBONES)
    _check_choice("decoder", decoder, DECODERS)
    for name, value in {
        "decoder_channels": decoder_channels,
        "num_classes": num_classes,
        "aspp_channels": aspp_channels,
        "box_radius": box_radius,
        "batch_size": 1 if batch_size is None else batch_size,
    }.items():
        check_count(name, value)
    _check_choice("output_stride", output_stride, OUTPUT_STRIDES)
    check_multiplier(depth_multiplier)
    if not isinstance(aspp_rates, (tuple, list)):
        raise UserError(
            f"aspp_rates: {aspp_rates!r} is not a list; use [] for none"
        )
    for rate in aspp_rates:
        check_count("aspp_rates", rate)
    style = HEAD.with_momentum(batch_norm_momentum)
    _check_shape(input_shape, output_stride)
    add_backbone, low_level = _BACKBONES[backbone]
    _check_options(backbone, add_backbone, backbone_options)

    image = keras.Input(tuple(input_shape), batch_size, name="image")
    x = keras.layers.Rescaling(2 / 255, -1, dtype="float32", name="preprocess")(
        image
    )
    ends = add_backbone(
        x,
        depth_multiplier=depth_multiplier,
        output_stride=output_stride,
        batch_norm_momentum=batch_norm_momentum,
        **backbone_options,
    )
    x = aspp(
        list(ends.values())[-1],
        aspp_channels,
        decoder_channels if decoder else aspp_channels,
        tuple(aspp_rates),
        style,
    )
    if decoder == "guided":
        x = DeepGuidedDecoder(
            decoder_channels,
            radius=box_radius,
            align_corners=align_corners,
            batch_norm_momentum=batch_norm_momentum,
        )(x, ends[low_level])
    elif decoder == "deeplab_v3plus":
        x = deeplab_v3plus_decoder(
            x, ends[low_level], decoder_channels, align_corners, style
        )
    logits = keras.layers.Conv2D(
        num_classes,
        1,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.01),
        dtype="float32",
        name="logits",
    )(x)
    return keras.Model(image, logits, name="deepgbass")


def _check_choice(name, value, choices):
    # A tuple's members need not be hashable to be compared.
    if value not in tuple(choices):
        known = ", ".join(map(str, choices))
        raise UserError(f"{name}: {value!r} is unknown; choose from {known}")


def check_count(name, value):
    """Raises UserError unless `value` is a whole number above 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{name}: {value!r} is not a whole number above 0")


def check_multiplier(value):
    """Raises UserError unless `value` is a finite number above 0."""
    if not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise UserError(
            f"depth_multiplier: {value!r} is not a positive number; use e.g."
            " 1.0 or 0.5"
        )


def _check_options(backbone, add_backbone, options):
    known = set(inspect.signature(add_backbone).parameters) - {"inputs"}
    for name, value in options.items():
        if name not in known:
            raise UserError(
                f"{name}: {value!r} is not an option of {backbone} or of"
                " build_model"
            )
        if value is not None:
            check_count(name, value)


def _check_shape(shape, output_stride):
    expected = (
        f"input_shape: {shape!r} is not (height, width, 3) with sides above"
        f" the output stride {output_stride}; sizes have to be fixed"
    )
    if not isinstance(shape, (tuple, list)) or list(shape[2:]) != [3]:
        raise UserError(expected)
    for side in shape[:2]:
        if not isinstance(side, int) or side <= output_stride:
            raise UserError(expected)

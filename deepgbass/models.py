"""`build_model`: backbone -> ASPP -> decoder -> logits."""

from deepgbass.backbones.mobilenet_edgetpu import LOW_LEVEL, mobilenet_edgetpu
from deepgbass.configs import BACKBONES, DECODERS
from deepgbass.decoders.deeplab_v3plus import deeplab_v3plus_decoder
from deepgbass.decoders.guided import DeepGuidedDecoder
from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.aspp import aspp
from deepgbass.layers.conv import HEAD


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
    last_layer: int = 23,
    batch_norm_momentum: float | None = None,
    batch_size: int | None = None,
    last_layer_channels: int | None = None,
) -> keras.Model:
    """Builds a segmentation network as one flat Functional model.

    The defaults are DGD-64 of Table II. Input: RGB
    `(batch, height, width, 3)` in 0..255, scaled to -1..1 inside. Output:
    logits `(batch, h, w, num_classes)`, float32, with h = ceil(height / 4)
    behind a decoder and ceil(height / output_stride) without one; resizing
    them to the image is the caller's, as the Edge TPU cannot.

    Args:
        backbone: "mobilenet_edgetpu".
        decoder: "guided" (DGD, Fig. 2), "deeplab_v3plus" (DLv3D) or None.
        decoder_channels: k of DGD-k and DLv3D-k. Without a decoder the ASPP
            output keeps `aspp_channels`.
        num_classes: classes to predict, without the ignored one.
        input_shape: `(height, width, 3)`, each side above `output_stride`;
            odd, even and rectangular sizes all do.
        output_stride: 8, 16 or 32.
        depth_multiplier: scales the backbone's widths.
        aspp_channels: width of the ASPP branches.
        aspp_rates: dilations of extra ASPP branches; mobile models have none.
        align_corners: resize as TF1 DeepLab does, for its published weights.
        box_radius: window radius of the guided block, stride 4 pixels.
        last_layer: 23 (Table II) or 24 (zoo EdgeTPU-DeepLab).
        batch_norm_momentum: None for the reference 0.997 in the backbone and
            0.9997 in the heads, right for fine-tuning over 100,000 steps.
            Short training from scratch needs less: evaluation uses moving
            variances that start at 1, tens of times too high, and keep
            momentum ** steps of that (0.9997 ** 2000 = 0.55). Choose it so
            that this is below 1e-4: 0.99 from 1,000 steps, 0.95 from 200.
        batch_size: fixed batch, 1 for export.
        last_layer_channels: width of layer 24 if not scaled with the rest.

    Raises:
        UserError: naming the argument that cannot be built.
    """
    _check_choice("backbone", backbone, BACKBONES)
    _check_choice("decoder", decoder, DECODERS)
    for name, value in {
        "decoder_channels": decoder_channels,
        "num_classes": num_classes,
        "aspp_channels": aspp_channels,
        "box_radius": box_radius,
        "output_stride": output_stride,
    }.items():
        _check_count(name, value)
    for name, value in {
        "batch_size": batch_size,
        "last_layer_channels": last_layer_channels,
    }.items():
        if value is not None:
            _check_count(name, value)
    if not isinstance(aspp_rates, (tuple, list)):
        raise UserError(
            f"aspp_rates: {aspp_rates!r} is not a list; use [] for none"
        )
    for rate in aspp_rates:
        _check_count("aspp_rates", rate)
    style = HEAD.with_momentum(batch_norm_momentum)
    _check_shape(input_shape, output_stride)

    image = keras.Input(tuple(input_shape), batch_size, name="image")
    x = keras.layers.Rescaling(2 / 255, -1, dtype="float32", name="preprocess")(
        image
    )
    ends = mobilenet_edgetpu(
        x,
        depth_multiplier,
        output_stride,
        last_layer,
        batch_norm_momentum,
        last_layer_channels,
    )
    x = aspp(
        ends[f"layer_{last_layer}"],
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
        )(x, ends[LOW_LEVEL])
    elif decoder == "deeplab_v3plus":
        x = deeplab_v3plus_decoder(
            x, ends[LOW_LEVEL], decoder_channels, align_corners, style
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
    if value not in choices:
        known = ", ".join(map(str, choices))
        raise UserError(f"{name}: {value!r} is unknown; choose from {known}")


def _check_count(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{name}: {value!r} is not a whole number above 0")


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

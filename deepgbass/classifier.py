"""`build_classifier`: a backbone under an ImageNet classifier's head."""

from deepgbass.backbones.mobilenet_edgetpu import mobilenet_edgetpu
from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.models import check_count, check_multiplier
from deepgbass.zoo.names import CLASSIFIER


def build_classifier(
    backbone: str = "mobilenet_edgetpu",
    num_classes: int = 1001,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    depth_multiplier: float = 1.0,
    last_layer_channels: int | None = None,
) -> keras.Model:
    """Builds an image classifier as slim's, for its published weights.

    It is what the backbone's ImageNet weights are measured with. The
    backbone has output stride 32 and its last 1x1 convolution (1280 channels
    at multiplier 1); the mean over all pixels follows, and a 1x1 convolution.

    Input: RGB `(batch, height, width, 3)` in 0..255, scaled to -1..1 inside.
    Output: logits `(batch, num_classes)`, float32. Slim's class 0 is
    "background".

    Args:
        backbone: "mobilenet_edgetpu", the one whose classifier is published
            in a form that can be read here.
        num_classes: classes with the background.
        input_shape: `(height, width, 3)`.
        depth_multiplier: scales the backbone's widths.
        last_layer_channels: width of the last 1x1 convolution if not scaled
            with the rest (Google's published 0.75 models keep 1280).

    Raises:
        UserError: naming the argument that cannot be built.
    """
    if backbone != "mobilenet_edgetpu":
        raise UserError(
            f"backbone: {backbone!r} has no classifier here; use"
            ' "mobilenet_edgetpu"'
        )
    check_count("num_classes", num_classes)
    if last_layer_channels is not None:
        check_count("last_layer_channels", last_layer_channels)
    check_multiplier(depth_multiplier)
    if (
        not isinstance(input_shape, (tuple, list))
        or list(input_shape[2:]) != [3]
        or not all(isinstance(n, int) and n >= 32 for n in input_shape[:2])
    ):
        raise UserError(
            f"input_shape: {input_shape!r} is not (height, width, 3) with"
            " sides of at least 32"
        )
    image = keras.Input(tuple(input_shape), name="image")
    x = keras.layers.Rescaling(2 / 255, -1, dtype="float32", name="preprocess")(
        image
    )
    ends = mobilenet_edgetpu(
        x,
        depth_multiplier,
        output_stride=32,
        last_layer=24,
        last_layer_channels=last_layer_channels,
    )
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="mean")(
        ends["layer_24"]
    )
    x = keras.layers.Conv2D(num_classes, 1, dtype="float32", name=CLASSIFIER)(x)
    logits = keras.layers.Flatten(name="logits_flat")(x)
    return keras.Model(image, logits, name="deepgbass_classifier")

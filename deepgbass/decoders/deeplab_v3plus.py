"""The DeepLabv3+ decoder (Chen et al. 2018), DLv3D-k in Table II."""

from deepgbass.keras_api import keras
from deepgbass.layers.conv import HEAD, ConvStyle, SeparableBN, conv_bn
from deepgbass.layers.resize import Resize


def deeplab_v3plus_decoder(
    feature,
    low_level,
    channels: int = 256,
    align_corners: bool = False,
    style: ConvStyle = HEAD,
):
    """Concatenates the upsampled feature with low-level detail and filters.

    Args:
        feature: ASPP output `(batch, h, w, c)`, a Keras tensor.
        low_level: backbone feature `(batch, height, width, c_low)`, projected
            to 48 channels; its size is the output's.
        channels: k, width of the two separable convolutions.
        align_corners: see `Resize`.
        style: batch norm and initialisation.

    Returns:
        `(batch, height, width, channels)`.
    """
    detail = conv_bn(48, 1, "decoder_feature_projection0", style)(low_level)
    resize = Resize(
        low_level.shape[1:3],
        align_corners,
        by_doubling=True,
        name="decoder_resize",
    )
    x = keras.layers.Concatenate(name="decoder_concat")(
        [resize(feature), detail]
    )
    for i in range(2):
        x = SeparableBN(channels, f"decoder_conv{i}", style)(x)
    return x

"""Atrous spatial pyramid pooling (DeepLabv3), the head above the backbone."""

from deepgbass.keras_api import keras
from deepgbass.layers.conv import HEAD, ConvStyle, SeparableBN, conv_bn


def aspp(
    x,
    channels: int = 256,
    output_channels: int = 256,
    rates: tuple[int, ...] = (),
    style: ConvStyle = HEAD,
):
    """Image pooling, a 1x1 and atrous branches, projected and dropped out.

    The reference concatenates `[pooled, aspp0, aspp1, ...]`, the pooled vector
    copied to every pixel, and projects that with a 1x1 convolution W. A
    copying operation (tile, resize from 1x1) does not run on the Edge TPU, a
    broadcasting ADD does, so the concatenation here is
    `[pooled + aspp0, aspp0, aspp1, ...]`. With the projection's kernel rows
    `[W_pool, W_0 - W_pool, W_1, ...]` it is the same function:
    W_pool(p + u) + (W_0 - W_pool)u = W_pool p + W_0 u. Parameters and
    multiplications stay those of the reference, and the batch norm still sits
    right after a convolution, into which the converter folds it (it cannot
    when the two products are added after their convolutions).

    With a batch of one image the pooled branch's batch norm sees a single
    value a channel in training: use batches of several.

    Args:
        x: features `(batch, height, width, c)`, a Keras tensor.
        channels: width of every branch.
        output_channels: width of the projection.
        rates: dilations of the optional 3x3 separable branches; the mobile
            models of the paper have none.
        style: batch norm and initialisation.

    Returns:
        `(batch, height, width, output_channels)`, after ReLU and dropout 0.1.
    """
    pooled = keras.layers.GlobalAveragePooling2D(
        keepdims=True, name="image_pooling_mean"
    )(x)
    pooled = conv_bn(channels, 1, "image_pooling", style)(pooled)
    aspp0 = conv_bn(channels, 1, "aspp0", style)(x)
    branches = [keras.layers.Add(name="aspp0_pooled")([aspp0, pooled]), aspp0]
    for i, rate in enumerate(rates, 1):
        branch = SeparableBN(channels, f"aspp{i}", style, dilation=rate)
        branches.append(branch(x))
    x = keras.layers.Concatenate(name="aspp_concat")(branches)
    x = conv_bn(output_channels, 1, "concat_projection", style)(x)
    return keras.layers.Dropout(0.1, name="concat_projection_dropout")(x)

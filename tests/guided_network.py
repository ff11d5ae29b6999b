"""A small network with every kind of layer that an exported one has."""

import numpy as np

from deepgbass.decoders.guided import DeepGuidedDecoder
from deepgbass.keras_api import keras
from deepgbass.layers.conv import ConvStyle, conv_bn, depthwise_bn

SIZE = (32, 48)
CLASSES = 6
_STYLE = ConvStyle(0.9, 1e-3, stddev=0.3, depthwise_stddev=0.3)
_RNG = np.random.default_rng(0)


def guided_network(size=SIZE, batch_size=1):
    """Images to logits at stride 2, a deep guided decoder on the way.

    Weights and statistics of its batch norms are random and matter.
    """
    image = keras.Input((*size, 3), batch_size, name="image")
    x = keras.layers.Rescaling(2 / 255, -1, name="preprocess")(image)
    x = low = conv_bn(6, 3, "conv", _STYLE, strides=2)(x)
    x = depthwise_bn(3, "dilated", _STYLE, dilation=2)(x)
    x = conv_bn(6, 1, "project", _STYLE, relu=False)(x)
    x = keras.layers.Add(name="add")([x, low])
    x = conv_bn(4, 3, "feature", _STYLE, strides=2)(x)
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    both = keras.layers.Add(name="pooled")([x, pooled])
    x = keras.layers.Concatenate(name="concat")([both, x])
    x = conv_bn(4, 1, "concat_projection", _STYLE)(x)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    x = DeepGuidedDecoder(4, 6, 8)(x, low)
    logits = keras.layers.Conv2D(CLASSES, 1, name="logits")(x)
    model = keras.Model(image, logits, name="guided")
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, _ = layer.weights
            gamma.assign(rng.uniform(0.5, 1.5, gamma.shape))
            beta.assign(beta + rng.normal(0, 0.3, beta.shape))
            mean.assign(rng.normal(0, 0.2, mean.shape))
    for weight in model.trainable_weights:
        if "kernel" in weight.name:
            fan = np.prod(weight.shape[:3])
            fan = 9 if "depthwise" in weight.name else fan
            weight.assign(rng.normal(0, fan**-0.5, weight.shape))
    return model


def images(count=4, size=SIZE):
    """uint8 images of smooth random colours."""
    coarse = _RNG.integers(0, 256, (count, size[0] // 4, size[1] // 4, 3))
    return coarse.repeat(4, 1).repeat(4, 2).astype(np.uint8)

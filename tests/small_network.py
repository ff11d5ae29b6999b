"""A network of four convolutions with everything that training changes.

Layers are named as in `build_model`, so that it has the same parts.
"""

import numpy as np
import tensorflow as tf

from deepgbass.configs import TrainConfig
from deepgbass.keras_api import keras
from deepgbass.layers.conv import ConvStyle, conv_bn
from deepgbass.losses import IgnoreCrossentropy
from deepgbass.training.precision import network_precision
from deepgbass.training.train_step import TrainStep

_STYLE = ConvStyle(0.5, 1e-3, stddev=0.3, depthwise_stddev=0.3)


def small_network(dropout=0.1):
    """16x16 images to logits of 3 classes at stride 2."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Rescaling(1 / 128, -1, dtype="float32")(image)
    x = conv_bn(6, 3, "Conv", _STYLE, strides=2)(x)
    y = conv_bn(6, 3, "expanded_conv", _STYLE)(x)
    x = keras.layers.Add(name="expanded_conv_add")([x, y])
    # A tensor that a layer uses twice.
    x = keras.layers.Multiply(name="expanded_conv_square")([x, x])
    x = conv_bn(6, 1, "aspp0", _STYLE)(x)
    x = keras.layers.Dropout(dropout, name="aspp0_dropout")(x)
    x = keras.layers.Conv2D(3, 1, dtype="float32", name="logits")(x)
    return keras.Model(image, x)


def small_batch():
    """Four images whose colours are their classes; the first is ignored."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (4, 4, 4)).repeat(4, 1).repeat(4, 2)
    images = 60 + 60 * np.eye(3)[labels] + 30 * rng.normal(size=(4, 16, 16, 3))
    labels[:, :3] = 255
    labels[0] = 255
    return images.astype(np.float32), labels.astype(np.int32)


def small_config(**fields):
    fields = {"learning_rate": 0.02, "batch_size": 4, "steps": 10} | fields
    return TrainConfig(warmup_steps=0, seed=7, **fields)


def make_step(loss=None, strategy=None, dropout=0.1, **fields):
    """The network and its `TrainStep`, with fields of `TrainConfig`."""
    config = small_config(**fields)
    with network_precision(config.precision):
        model = small_network(dropout)
    return model, TrainStep(
        model, loss or IgnoreCrossentropy(), config, strategy
    )


def trained(number, **options):
    """The network after so many steps, and the components of each of them."""
    model, step = make_step(**options)
    batch = [tf.constant(x) for x in small_batch()]
    parts = [step(*batch) for _ in range(number)]
    return model, [{k: float(v) for k, v in p.items()} for p in parts]

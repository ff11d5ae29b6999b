import functools

import numpy as np
import pytest

from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.zoo.recalibration import recalibrate_batch_norm

# Channels of the first convolution that are constant.
DEAD = slice(0, 2)


@functools.cache
def images():
    r = np.random.default_rng(0)
    noise = r.uniform(0, 1, (6, 3, 5, 3)).repeat(4, 1).repeat(4, 2)
    return noise.astype("float32")


def conv_bn(x, channels, stride, name):
    r = np.random.default_rng(channels)
    x = keras.layers.Conv2D(channels, 3, stride, use_bias=False)(x)
    norm = keras.layers.BatchNormalization(name=name)
    x = keras.layers.ReLU(name=f"{name}_relu")(norm(x))
    norm.beta.assign(r.uniform(-0.1, 0.3, channels))
    return x


def network():
    """As after loading folded weights: mean 0, variance 1, a bias as beta."""
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 20, 3))
    x = conv_bn(image, 8, 2, "first")
    x = conv_bn(x, 12, 1, "second")
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.BatchNormalization(name="pooled")(x)
    model = keras.Model(image, x)
    kernel = model.layers[1].kernel
    kernel.assign(kernel * (np.arange(8) >= DEAD.stop))
    return model


def error(model, expected):
    """Of training's first output to what inference gave, relative."""
    weights = model.get_weights()
    result = model(images(), training=True).numpy()
    model.set_weights(weights)
    return np.abs(result - expected).max() / np.abs(expected).max()


def test_inference_is_kept_and_training_starts_as_the_same_function():
    model = network()
    expected = model(images()).numpy()
    assert error(model, expected) > 1
    assert recalibrate_batch_norm(model, images()) == 3
    result = model(images()).numpy()
    np.testing.assert_allclose(result, expected, atol=1e-5 * expected.max())
    assert error(model, expected) < 1e-3


@pytest.mark.parametrize("sizes", [(1,) * 6, (4, 2), (1, 5)])
def test_statistics_are_those_of_all_images_however_they_are_batched(sizes):
    model = network()
    inputs = [model.get_layer(n).input for n in ("second", "pooled")]
    expected = [x.numpy() for x in keras.Model(model.input, inputs)(images())]
    splits = np.split(images(), np.cumsum(sizes)[:-1])
    recalibrate_batch_norm(model, splits if len(sizes) < 6 else images())
    for name, x in zip(("second", "pooled"), expected, strict=True):
        _, _, mean, variance = model.get_layer(name).get_weights()
        np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-4)
        np.testing.assert_allclose(variance, x.var((0, 1, 2)), rtol=1e-4)


def test_a_constant_channel_stays_finite_and_keeps_its_constant():
    model = network()
    norm = model.get_layer("first")
    old_beta = norm.beta.numpy()
    recalibrate_batch_norm(model, images())
    gamma, beta, mean, variance = (w[DEAD] for w in norm.get_weights())
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_array_equal(variance, 0)
    np.testing.assert_allclose(beta, old_beta[DEAD])
    np.testing.assert_allclose(gamma, (0.001 / 1.001) ** 0.5, rtol=1e-4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((1, 12, 20, 3)), "1 given"),
        (np.zeros((0, 12, 20, 3)), "0 given"),
        (np.zeros((4, 12, 21, 3)), "the network takes"),
        (np.full((2, 12, 20, 3), np.nan), "not finite"),
    ],
)
def test_bad_images_change_nothing(given, said):
    model = network()
    before = model.get_weights()
    with pytest.raises(UserError, match=f"^images: .*{said}"):
        recalibrate_batch_norm(model, given)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)

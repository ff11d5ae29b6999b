import functools

import numpy as np
import pytest

from deepgbass.classifier import build_classifier
from deepgbass.errors import UserError
from deepgbass.keras_api import keras


@functools.cache
def classifier():
    return build_classifier(
        num_classes=7, input_shape=(64, 96, 3), depth_multiplier=0.25
    )


def test_logits_are_a_linear_function_of_the_mean_feature():
    model = classifier()
    image = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3))
    features = keras.Model(model.input, model.get_layer("Conv_1_relu").output)
    kernel, bias = model.get_layer("Logits_Conv2d_1c_1x1").get_weights()
    x = features(image.astype("f4")).numpy()
    assert x.shape == (2, 2, 3, 320)
    np.testing.assert_allclose(
        model(image.astype("f4")),
        x.mean((1, 2)) @ kernel[0, 0] + bias,
        atol=1e-6,
    )


def test_pixels_are_scaled_to_minus_one_to_one():
    model = classifier()
    scaled = keras.Model(model.input, model.get_layer("preprocess").output)
    assert scaled(np.zeros((1, 64, 96, 3), "f4")).numpy().min() == -1
    assert scaled(np.full((1, 64, 96, 3), 255, "f4")).numpy().max() == 1


def test_the_published_size():
    model = build_classifier()
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    # deeplab.md section 1 to layer 24, and 1280 x 1001 + 1001.
    assert trainable == 2_810_432 + 1281 * 1001


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("backbone", "resnet"),
        ("num_classes", 0),
        ("input_shape", (16, 64, 3)),
        ("input_shape", (64, 64)),
        ("input_shape", None),
        ("depth_multiplier", -1),
        ("last_layer_channels", 0),
        ("last_layer_channels", "1280"),
    ],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(UserError, match=f"^{argument}: "):
        build_classifier(**{argument: value})

import numpy as np

from deepgbass.keras_api import keras
from deepgbass.layers.aspp import aspp
from deepgbass.layers.conv import HEAD


def conv_bn_relu(model, name, x):
    gamma, beta, mean, variance = model.get_layer(f"{name}_bn").get_weights()
    x = x @ model.get_layer(name).get_weights()[0][0, 0]
    x = (x - mean) / np.sqrt(variance + HEAD.epsilon) * gamma + beta
    return np.maximum(x, 0)


def test_projection_is_that_of_the_concatenated_branches():
    image = keras.Input((5, 7, 12))
    model = keras.Model(image, aspp(image, 6, 4))
    r = np.random.default_rng(0)
    for v in model.variables:
        v.assign(r.uniform(0.2, 1, v.shape) - 0.5 * ("kernel" in v.name))
    x = r.normal(size=(2, 5, 7, 12))

    pooled = x.mean((1, 2), keepdims=True)
    pooled = conv_bn_relu(model, "image_pooling", pooled)
    pooled = np.broadcast_to(pooled, (2, 5, 7, 6))
    branches = [pooled, conv_bn_relu(model, "aspp0", x)]
    projection = model.get_layer("concat_projection")
    y = model(x)
    (kernel,) = projection.get_weights()
    kernel[:, :, 6:] += kernel[:, :, :6]
    projection.set_weights([kernel])
    expected = conv_bn_relu(
        model, "concat_projection", np.concatenate(branches, -1)
    )
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_atrous_branches_join_the_projection():
    image = keras.Input((5, 7, 12))
    model = keras.Model(image, aspp(image, 6, 4, rates=(6, 12)))
    for i, rate in [(1, 6), (2, 12)]:
        depthwise = model.get_layer(f"aspp{i}_depthwise")
        assert depthwise.dilation_rate == (rate, rate)
    assert model.get_layer("concat_projection").kernel.shape == (1, 1, 24, 4)
    assert model.output_shape == (None, 5, 7, 4)

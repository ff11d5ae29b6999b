import functools
import math

import numpy as np
import pytest

from deepgbass.backbones.xception import LOW_LEVEL, xception65
from deepgbass.errors import UserError
from deepgbass.keras_api import keras


@functools.cache
def build(size=(65, 97), **kwargs):
    image = keras.Input((*size, 3))
    ends = xception65(image, **kwargs)
    return keras.Model(image, list(ends.values())[-1]), ends


@pytest.mark.parametrize(
    ("output_stride", "dilations"),
    [
        pytest.param(32, [1] * 63, marks=pytest.mark.slow),
        (16, [1] * 60 + [2] * 3),
        pytest.param(8, [1] * 9 + [2] * 51 + [4] * 3, marks=pytest.mark.slow),
    ],
)
def test_stride_turns_into_dilation_unit_by_unit(output_stride, dilations):
    model, ends = build(output_stride=output_stride, depth_multiplier=1 / 64)
    found = [
        layer.dilation_rate[0]
        for layer in model.layers
        if isinstance(layer, keras.layers.DepthwiseConv2D)
    ]
    assert found == dilations
    size = [math.ceil(n / output_stride) for n in (65, 97)]
    assert list(model.output_shape[1:3]) == size
    assert ends[LOW_LEVEL].shape[1:3] == (17, 25)


@pytest.mark.slow
def test_widths_are_the_published_ones():
    model, ends = build()
    assert model.output_shape[-1] == 2048
    assert ends[LOW_LEVEL].shape[-1] == 256


def test_strided_convolutions_pad_both_sides_of_an_even_size():
    model, ends = build((8, 8), output_stride=32, depth_multiplier=1 / 64)
    first = model.get_layer("entry_flow_conv1_1")
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    convolved = keras.Model(model.input, first.output)(image)
    padded = np.pad(image, [(0, 0), (1, 1), (1, 1), (0, 0)])
    kernel = first.kernel.numpy()
    for y, x in ((0, 0), (3, 3), (1, 2)):
        window = padded[0, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        expected = np.einsum("hwi,hwio->o", window, kernel)
        np.testing.assert_allclose(convolved[0, y, x], expected, atol=1e-5)
    strided = model.get_layer(
        "entry_flow_block1_unit_1_separable_conv3_depthwise"
    )
    ends = [
        model.get_layer(name).output
        for name in (
            "entry_flow_block1_unit_1_separable_conv3_relu",
            strided.name,
        )
    ]
    feature, convolved = keras.Model(model.input, ends)(image)
    padded = np.pad(feature, [(0, 0), (1, 1), (1, 1), (0, 0)])
    kernel = strided.depthwise_kernel.numpy()[..., 0]
    for y, x in ((0, 0), (1, 1)):
        window = padded[0, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        expected = np.einsum("hwc,hwc->c", window, kernel)
        np.testing.assert_allclose(convolved[0, y, x], expected, atol=1e-5)


def test_one_relu_comes_before_each_convolution_but_in_the_last_unit():
    model, _ = build(output_stride=16, depth_multiplier=1 / 64)
    relus = [x for x in model.layers if isinstance(x, keras.layers.ReLU)]
    # The stem's 2, one before each of 60, two within each of the last 3.
    assert len(relus) == 2 + 60 + 6
    assert isinstance(model.layers[-1], keras.layers.ReLU)


def test_bad_output_stride_is_named():
    with pytest.raises(UserError, match="^output_stride: 4"):
        build(output_stride=4)

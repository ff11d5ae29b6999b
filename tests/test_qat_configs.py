"""What int8 rounds, and how."""

import numpy as np
import pytest
import tensorflow as tf
from guided_network import guided_network

from deepgbass.export.qat_configs import (
    KernelQuantizer,
    OperatorConfig,
    fixed_range,
    rounded_layers,
)
from deepgbass.keras_api import keras

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape, axes", [((3, 3, 4, 1), 1), ((3, 3, 4, 2), 2)])
def test_kernels_are_rounded_by_output_channel(shape, axes):
    kernel = RNG.normal(size=shape) * 10.0 ** RNG.integers(-3, 3, shape[2:])
    kernel[..., 0, 0] = 0
    variable = tf.Variable(kernel, dtype=tf.float32)
    with tf.GradientTape() as tape:
        rounded = KernelQuantizer(axes)(variable, True, {})
        total = tf.reduce_sum(rounded * variable.shape[0])
    others = tuple(range(4 - axes))
    step = np.abs(kernel).max(axis=others, keepdims=True) / 127
    step = np.where(step == 0, 1, step)
    expected = np.rint(kernel / step) * step
    assert np.allclose(rounded, expected, rtol=1e-5, atol=0)
    # Straight through, the largest of a channel too.
    np.testing.assert_array_equal(tape.gradient(total, variable), 3.0)


def test_an_output_is_rounded_to_256_levels_of_its_range():
    config = OperatorConfig(None, (-1.0, 127 / 128))
    (quantizer,) = config.get_output_quantizers(None)
    x = tf.constant([-3.0, -1.0, 0.0, 0.4 / 128, 0.6 / 128, 0.99, 3.0])
    expected = np.array([-128, -128, 0, 0, 1, 127, 127]) / 128
    np.testing.assert_array_equal(quantizer(x, True, None), expected)


def test_an_operator_is_rounded_once_and_movers_share_a_scale():
    groups = [
        {layer.name for layer in group}
        for group in rounded_layers(guided_network())
    ]
    assert {"concat_projection_relu", "decoder_resize"} in groups
    assert {"feature_relu", "pooled"} in groups
    assert {"decoder_guided_variance", "decoder_guided_covariance"} in groups
    names = set().union(*groups)
    assert len(names) == sum(map(len, groups))
    assert {"preprocess", "project_bn", "decoder_guided_conv2"} <= names
    assert {"mean", "decoder_guided_variance_sum", "logits"} <= names
    for fused in ("conv", "conv_bn", "project", "dropout", "concat", "image"):
        assert fused not in names


def test_a_tanh_has_its_range_by_definition():
    assert fixed_range(keras.layers.Activation("tanh")) == (-1, 127 / 128)
    assert fixed_range(keras.layers.Activation("linear")) is None

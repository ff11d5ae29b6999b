"""The ranges that calibration measures, and that the quantiser obeys."""

import numpy as np
import pytest
import tensorflow as tf

from deepgbass.export.ranges import TAIL, measure_ranges
from deepgbass.export.tflite import to_float

SHAPE = (1, 300, 400, 2)


def model(function):
    spec = tf.TensorSpec(SHAPE, tf.float32)
    return to_float(tf.function(function).get_concrete_function(spec))


def test_a_range_is_the_mean_over_the_images():
    inputs = [np.full(SHAPE, n, np.float32) for n in (-4, -8)]
    # One channel alone counts like all.
    inputs[0][..., 1] = 6
    inputs[1][..., 1] = 7
    content = model(tf.abs)
    ((low, high),) = measure_ranges(content, inputs).values()
    # 0 is always within.
    assert (low, high) == (0.0, pytest.approx((6 + 8) / 2))
    content = model(lambda x: tf.minimum(x, 5.0))
    ((low, high),) = measure_ranges(content, inputs).values()
    assert (low, high) == (pytest.approx(-6), pytest.approx(5))


def test_an_operand_keeps_its_own_range():
    # As TFLiteConverter measures, it would get that of the sum.
    def function(x):
        small = tf.nn.relu(x)
        return small + tf.constant([50.0, 80.0])

    ranges = measure_ranges(model(function), [np.ones(SHAPE, np.float32)])
    assert sorted(high for _, high in ranges.values()) == [1.0, 81.0]


def test_a_rare_extreme_is_cut_off_and_a_common_one_is_not():
    values = np.ones(SHAPE, np.float32)
    content = model(tf.nn.relu)
    for share, high in ((TAIL / 4, 1.0), (50 * TAIL, 90.0)):
        values.flat[: int(share * values.size)] = 90
        (found,) = measure_ranges(content, [values]).values()
        assert found == (0.0, high)


def test_a_tensor_of_zeros_has_a_range():
    ((low, high),) = measure_ranges(
        model(tf.nn.relu), [np.zeros(SHAPE, np.float32)]
    ).values()
    assert low == 0.0 < high

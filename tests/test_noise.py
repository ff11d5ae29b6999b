import numpy as np
import pytest
import tensorflow as tf

from deepgbass.noise import random_bits

SHAPES = [(5, 3, 7, 3), (4, 8), (6,)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_part_of_a_batch_has_the_numbers_of_its_place(shape):
    whole = random_bits(shape, (3, 4)).numpy()
    for first in range(shape[0]):
        part = random_bits((2, *shape[1:]), tf.constant([3, 4, first]))
        length = min(2, shape[0] - first)
        np.testing.assert_array_equal(part[:length], whole[first:][:length])


@pytest.mark.parametrize("seed", [None, (2**32 - 1, 2**40)])
def test_numbers_are_uniform(seed):
    bits = random_bits((50, 1001), seed).numpy()
    assert bits.dtype == np.uint16
    counts = np.bincount(bits.ravel() >> 12, minlength=16)
    np.testing.assert_allclose(counts, bits.size / 16, rtol=0.08)
    low = np.bincount(bits.ravel() & 15, minlength=16)
    np.testing.assert_allclose(low, bits.size / 16, rtol=0.08)


def test_images_seeds_and_steps_differ():
    one = random_bits((2, 64), (1, 2)).numpy()
    assert (one[0] != one[1]).mean() > 0.9
    for other in ((1, 3), (2, 2), (2, 1)):
        assert (random_bits((2, 64), other).numpy() != one).mean() > 0.9


def test_sizes_may_be_unknown_while_tracing():
    traced = tf.function(
        random_bits,
        input_signature=[
            tf.TensorSpec([4], tf.int32),
            tf.TensorSpec([3], tf.int64),
        ],
        autograph=False,
    )
    np.testing.assert_array_equal(
        traced([2, 3, 5, 3], [1, 2, 4]), random_bits((2, 3, 5, 3), (1, 2, 4))
    )

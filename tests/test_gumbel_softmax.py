import numpy as np
import pytest
import tensorflow as tf
from sbal_reference import uncompiled

from deepgbass.losses.gumbel_softmax import gumbel_noise, soft_argmax

pytestmark = pytest.mark.usefixtures(uncompiled.__name__)


def random_maps(shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.mark.parametrize("seed", [None, (3, 4)])
def test_noise_is_standard_gumbel(seed):
    noise = gumbel_noise([201, 501], seed).numpy()
    assert noise.shape == (201, 501)
    for quantile in (0.001, 0.1, 0.5, 0.9, 0.999):
        share = (noise < -np.log(-np.log(quantile))).mean()
        error = np.sqrt(quantile * (1 - quantile) / noise.size)
        assert share == pytest.approx(quantile, abs=5 * error + 2**-16)
    assert -2.48 < noise.min() < noise.max() < 11.79
    # Two numbers share 32 bits, and must not resemble each other.
    pairs = noise.ravel()[:-1].reshape(-1, 2)
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.02


def test_noise_repeats_with_its_seed_only():
    one, same, other = (
        gumbel_noise([50], seed).numpy()
        for seed in ((1, 2), tf.constant([1, 2]), (1, 3))
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).sum() > 45
    free = [gumbel_noise([50]).numpy() for _ in range(2)]
    assert (free[0] != free[1]).any()


def test_soft_argmax_is_zero_where_not_valid():
    logits, upstream = random_maps((1, 4, 5, 3)), random_maps((1, 4, 5, 3), 1)
    valid = np.ones((1, 4, 5), np.float32)
    valid[0, 2, 3] = 0
    with tf.GradientTape() as tape:
        x = tf.constant(logits)
        tape.watch(x)
        soft = soft_argmax(x, 0.5, valid=valid)
    gradient = tape.gradient(soft, x, upstream).numpy()
    np.testing.assert_allclose(soft.numpy().sum(-1), valid, rtol=1e-6)
    assert not gradient[0, 2, 3].any()
    p = soft.numpy()
    mean = (p * upstream).sum(-1, keepdims=True)
    np.testing.assert_allclose(gradient, p * (upstream - mean) / 0.5, atol=1e-6)


def test_soft_argmax_nears_the_arg_max_of_the_noisy_logits():
    logits, noise = random_maps((1, 4, 4, 3)), random_maps((1, 4, 4, 3), 1)
    soft = soft_argmax(logits, 1e-4, noise).numpy()
    np.testing.assert_array_equal(soft.argmax(-1), (logits + noise).argmax(-1))
    np.testing.assert_allclose(soft.max(-1), 1, atol=1e-2)
    expected = np.exp(2 * (logits + noise).astype(np.float64))
    expected /= expected.sum(-1, keepdims=True)
    np.testing.assert_allclose(
        soft_argmax(logits, 0.5, noise), expected, rtol=1e-5
    )

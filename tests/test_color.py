import colorsys

import numpy as np
import pytest
import tensorflow as tf

from deepgbass.data import color

LIMITS = {"brightness": 0.3, "contrast": 0.5, "saturation": 0.6, "hue": 0.3}
IMAGE = np.random.default_rng(0).uniform(0, 255, (6, 7, 3)).astype(np.float32)


def _oracle(image, seed, *, brightness, contrast, saturation, hue):
    """The changes one after the other, pixel by pixel."""
    steps = tf.random.stateless_uniform((4,), seed, minval=-1.0).numpy()
    image = image.astype(np.float64) / 255 + brightness * steps[0]
    mean = image.mean((0, 1))
    image = mean + (1 + contrast * steps[1]) * (image - mean)
    image = np.clip(image, 0, 1)
    for index in np.ndindex(image.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*image[index])
        s = np.clip(s * (1 + saturation * steps[2]), 0, 1)
        image[index] = colorsys.hsv_to_rgb((h + hue * steps[3]) % 1, s, v)
    return 255 * image


@pytest.mark.parametrize("only", [*LIMITS, None])
@pytest.mark.parametrize("seed", range(3))
def test_colours_are_those_of_a_float64_oracle(only, seed):
    limits = {n: v if only in (n, None) else 0.0 for n, v in LIMITS.items()}
    found = color.jitter(IMAGE, (7, seed), **limits)
    expected = _oracle(IMAGE, (7, seed), **limits)
    assert np.abs(expected - IMAGE).max() > 1
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_values_stay_in_range_and_seeds_decide():
    limits = {"brightness": 0.6, "contrast": 1.0, "saturation": 1.0, "hue": 0.5}
    found = [color.jitter(IMAGE, (7, seed), **limits) for seed in range(20)]
    assert np.min(found) == 0 and np.max(found) == 255
    assert len({value.numpy().tobytes() for value in found}) == 20
    again = color.jitter(IMAGE, (7, 3), **limits)
    np.testing.assert_array_equal(again, found[3])


def test_nothing_changes_without_limits():
    np.testing.assert_allclose(color.jitter(IMAGE, (1, 2)), IMAGE, rtol=1e-6)

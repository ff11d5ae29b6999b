import numpy as np
import pytest
import tensorflow as tf
from sbal_reference import magnitude, uncompiled

from deepgbass.configs import LOSS_CHOICES
from deepgbass.losses import boundary

pytestmark = pytest.mark.usefixtures(uncompiled.__name__)


def random_maps(shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def step(height=12, width=30):
    """Two classes that meet upright in the middle."""
    right = np.arange(width) >= width // 2
    maps = np.stack([~right, right], axis=-1).astype(np.float32)
    return np.broadcast_to(maps, (1, height, width, 2))


@pytest.mark.parametrize("border", LOSS_CHOICES["border"])
@pytest.mark.parametrize("shape", [(2, 5, 9, 1), (1, 13, 6, 3)])
def test_magnitude_equals_the_float64_oracle(shape, border):
    maps = random_maps(shape)
    np.testing.assert_allclose(
        boundary.gradient_magnitude(maps, 0.18, border),
        magnitude(maps, 0.18, border),
        atol=5e-6,
    )


@pytest.mark.parametrize("border", LOSS_CHOICES["border"])
@pytest.mark.parametrize("shape", [(1, 5, 5, 2), (2, 7, 16, 3)])
def test_gradient_is_that_of_the_oracle(shape, border):
    maps = random_maps(shape)
    direction = random_maps(maps.shape, seed=1).astype(np.float64) - 0.5
    upstream = random_maps(maps.shape, seed=2)
    with tf.GradientTape() as tape:
        x = tf.constant(maps)
        tape.watch(x)
        xi = boundary.gradient_magnitude(x, 0.5, border)
        value = tf.reduce_sum(xi * upstream)
    gradient = tape.gradient(value, x).numpy()
    plus, minus = (
        (magnitude(maps + h * direction, 0.5, border) * upstream).sum()
        for h in (1e-6, -1e-6)
    )
    expected = (plus - minus) / 2e-6
    assert (gradient * direction).sum() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("border", LOSS_CHOICES["border"])
def test_magnitude_of_labels_is_that_of_their_one_hot_map(border):
    labels = np.random.default_rng(0).integers(-1, 4, (2, 6, 9))
    one_hot = (np.arange(4) == labels[..., None]).astype(np.float32)
    np.testing.assert_allclose(
        boundary.label_magnitude(labels.astype(np.int32), 4, 0.18, border),
        boundary.gradient_magnitude(one_hot, 0.18, border),
        atol=1e-6,
    )


def test_unit_step_has_the_documented_profile():
    row = boundary.gradient_magnitude(step(), 1.0)[0, 5, :, 1].numpy()
    half = [0.18, 0.14, 0.10, 0.06, 0.02]
    np.testing.assert_allclose(row[15:20], half, atol=3e-5)
    np.testing.assert_allclose(row[10:15], half[::-1], atol=3e-5)
    np.testing.assert_allclose(row[:10], 1e-3, atol=1e-6)


def test_third_pixel_beside_a_step_is_a_boundary():
    mask = boundary.boundary_mask(
        boundary.gradient_magnitude(step(), 1.0), 0.1
    ).numpy()
    assert mask[0, :, :, 0].sum(axis=1).tolist() == [6] * 12


def test_frame_is_no_boundary():
    flat = tf.ones([1, 6, 7, 2])
    np.testing.assert_allclose(
        boundary.gradient_magnitude(flat, 1.0), 1e-3, rtol=1e-4
    )


def test_flipping_and_transposing_maps_does_so_to_magnitudes():
    maps = random_maps((2, 9, 11, 3))
    whole = boundary.gradient_magnitude(maps).numpy()
    for turn in (
        lambda x: x[:, ::-1],
        lambda x: x[:, :, ::-1],
        lambda x: x.transpose(0, 2, 1, 3),
    ):
        np.testing.assert_allclose(
            boundary.gradient_magnitude(turn(maps)), turn(whole), atol=3e-6
        )


def test_mask_passes_no_gradient_and_is_strict():
    x = tf.constant([0.0, 0.1, 0.2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        mask = boundary.boundary_mask(x, x[1])
    assert mask.numpy().tolist() == [0, 0, 1]
    assert tape.gradient(mask, x) is None

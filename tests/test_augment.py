import numpy as np
import pytest
import tensorflow as tf
from image_files import encode

from deepgbass.data import augment, decoding
from deepgbass.data.dataset_info import IGNORE_LABEL

CROP = (40, 56)


def take_crop(image, label, seed, **ranges):
    """One crop of an image and its label, as the pipeline takes it."""
    geometry = augment.sample_geometry(
        tf.shape(label), CROP, tf.stack([7, seed]), **ranges
    )
    return (
        augment.warp_image(image, (0, 0), geometry, CROP),
        augment.warp_label(label, geometry, CROP),
    )


def run_eager(image, label, seeds, **ranges):
    for seed in seeds:
        crop = take_crop(image, label, seed, **ranges)
        yield [part.numpy() for part in crop]


def run_in_tf_data(image, label, seeds, **ranges):
    # Eager and graph execution take different paths: conditionals, shapes.
    data = tf.data.Dataset.from_tensor_slices(np.int64(seeds)).map(
        lambda seed: take_crop(image, label, seed, **ranges)
    )
    assert data.element_spec[0].shape == (*CROP, 3)
    assert data.element_spec[1].shape == CROP
    yield from data.as_numpy_iterator()


both = pytest.mark.parametrize("run", [run_eager, run_in_tf_data])
rules = pytest.mark.parametrize("longer_side", [None, 36, 120])


def position_pictures(height=60, width=80):
    """An image whose values are positions, and the labels of rows, columns."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows, columns, 0 * rows], -1).astype(np.uint8)
    return image, rows.astype(np.uint8), columns.astype(np.uint8)


@both
@rules
def test_image_and_label_show_the_same_place(run, longer_side):
    image, rows, columns = position_pictures()
    for label, channel in ((rows, 0), (columns, 1)):
        last = image[-1, -1, channel]
        crops = run(image, label, range(12), longer_side=longer_side)
        for crop, taken in crops:
            inside = taken != IGNORE_LABEL
            position = crop[..., channel][inside]
            # Bilinear sampling of a ramp is the exact position; the nearest
            # pixel is at most half a pixel from it, and the edge repeats.
            assert np.all(abs(position - taken[inside]) <= 0.5 + 1e-3)
            assert position.min() >= 0 and position.max() <= last
            # What the label ignores is exactly what the image pads.
            assert np.all(crop[~inside] == augment.MEAN_PIXEL)
            assert np.all(crop[inside][:, 2] == 0)


@both
def test_label_set_never_grows(run):
    rng = np.random.default_rng(0)
    label = rng.choice(np.uint8([0, 3, 18, 200]), (60, 80))
    image = rng.integers(0, 256, (60, 80, 3), np.uint8)
    for _, taken in run(image, label, range(20)):
        assert taken.dtype == np.uint8
        assert set(np.unique(taken)) <= {0, 3, 18, 200, IGNORE_LABEL}


@both
@rules
@pytest.mark.parametrize("size", [(50, 70), (90, 31), (1, 200)])
def test_eager_and_graph_agree_with_a_float64_oracle(run, size, longer_side):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    label = rng.integers(0, 19, size, np.uint8)
    seeds, rule = range(4), {"longer_side": longer_side}
    for seed, (crop, taken) in zip(
        seeds, run(image, label, seeds, **rule), strict=True
    ):
        geometry = augment.sample_geometry(size, CROP, [7, seed], **rule)
        expected, nearest = _oracle(image, label, geometry)
        np.testing.assert_allclose(crop, expected, atol=0.02)
        np.testing.assert_array_equal(taken, nearest)


def _oracle(image, label, geometry):
    """Samples each axis by itself, as the module's page defines it."""
    crop = image.astype(np.float64)
    nearest = label.astype(np.int64)
    padding = []
    for axis in (0, 1):
        source, scaled, offset = (int(part[axis]) for part in geometry[:3])
        place = np.arange(CROP[axis]) + offset + 0.5
        padding.append(place > scaled)
        place = np.minimum(place, scaled - 0.5) * source / scaled
        nearest = nearest.take(np.int64(place), axis)
        place = np.clip(place - 0.5, 0, source - 1)
        low = np.int64(place)
        high = np.minimum(low + 1, source - 1)
        part = np.expand_dims(place - low, (1 - axis, 2))
        crop = crop.take(low, axis) * (1 - part) + crop.take(high, axis) * part
    outside = np.logical_or.outer(*padding)
    crop[outside], nearest[outside] = 127.5, IGNORE_LABEL
    if geometry.flip:
        crop, nearest = crop[:, ::-1], nearest[:, ::-1]
    return crop, nearest


@both
def test_nothing_changes_at_scale_one_and_full_size(run):
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (*CROP, 3), np.uint8)
    label = rng.integers(0, 19, CROP, np.uint8)
    same = {"min_scale": 1.0, "max_scale": 1.0, "flip": False}
    for crop, taken in run(image, label, range(3), **same):
        np.testing.assert_array_equal(crop, image)
        np.testing.assert_array_equal(taken, label)


def test_half_of_the_crops_are_mirrored():
    image, _, columns = position_pictures(*CROP)
    same = {"min_scale": 1.0, "max_scale": 1.0}
    both_parts = run_in_tf_data(image, columns, range(400), **same)
    crops = [taken for _, taken in both_parts]
    mirrored = [np.array_equal(crop, columns[:, ::-1]) for crop in crops]
    plain = [np.array_equal(crop, columns) for crop in crops]
    assert np.all(np.logical_xor(mirrored, plain))
    assert 160 < sum(mirrored) < 240


def test_small_image_is_padded_with_mean_and_ignored():
    image = np.zeros((10, 12, 3), np.uint8)
    label = np.zeros((10, 12), np.uint8)
    same = {"min_scale": 2.0, "max_scale": 2.0, "flip": False}
    ((crop, taken),) = run_eager(image, label, [0], **same)
    assert np.all(taken[:20, :24] == 0) and np.all(crop[:20, :24] == 0)
    assert (taken == IGNORE_LABEL).sum() == taken.size - 20 * 24
    assert (crop == 127.5).all(-1).sum() == taken.size - 20 * 24


def test_one_pixel_fills_its_share():
    image, label = np.full((1, 1, 3), 9, np.uint8), np.ones((1, 1), np.uint8)
    for crop, taken in run_eager(image, label, range(5)):
        inside = taken != IGNORE_LABEL
        assert inside.any() and np.all(taken[inside] == 1)
        assert np.all(crop[inside] == 9)


def test_scales_fill_their_range_and_offsets_their_room():
    scales, offsets = [], []
    draws = tf.data.Dataset.range(300).map(
        lambda seed: augment.sample_geometry(
            (1000, 1000), (500, 500), tf.stack([3, seed])
        )
    )
    for geometry in draws.as_numpy_iterator():
        scales.append(geometry.scaled[0] / 1000)
        room = geometry.scaled - 500
        if room.min() > 0:
            offsets.append(geometry.offset / room)
    assert 0.5 <= min(scales) < 0.53 and 1.97 < max(scales) <= 2.0
    assert 1.15 < np.mean(scales) < 1.35
    offsets = np.array(offsets)
    assert offsets.min() >= 0 and offsets.max() <= 1
    np.testing.assert_allclose(offsets.mean(0), 0.5, atol=0.06)
    assert offsets.min() < 0.03 and offsets.max() > 0.97


@pytest.mark.parametrize(
    "size", [(1, 1), (2, 999), (512, 683), (683, 512), (256, 256), (3000, 4000)]
)
@pytest.mark.parametrize("longer_side", [33, 512])
def test_longer_side_is_exact_at_scale_one(size, longer_side):
    still = {"min_scale": 1.0, "max_scale": 1.0, "longer_side": longer_side}
    geometry = augment.sample_geometry(size, CROP, [7, 0], **still)
    expected = np.round(np.array(size) * longer_side / max(size))
    np.testing.assert_array_equal(geometry.scaled, np.maximum(expected, 1))
    assert max(geometry.scaled) == longer_side


def test_longer_side_and_random_scale_are_one_factor():
    for seed in range(10):
        alone = augment.sample_geometry((1000, 2000), CROP, [7, seed])
        both = augment.sample_geometry(
            (1000, 2000), CROP, [7, seed], longer_side=500
        )
        # Rounded once, so a quarter within half a pixel and an eighth.
        difference = np.abs(both.scaled.numpy() - alone.scaled.numpy() / 4)
        assert difference.max() <= 0.626
        assert both.flip == alone.flip


def test_a_panorama_is_as_exact_as_a_small_image():
    label = np.arange(40_000)[np.newaxis] % 251
    geometry = augment.Geometry(
        source=tf.constant([1, 40_000]),
        scaled=tf.constant([1, 80_000]),
        offset=tf.constant([0, 79_000]),
        size=tf.constant([1, 56]),
        flip=tf.constant(False),
    )
    taken = augment.warp_label(label, geometry, CROP).numpy()
    expected = (79_000 + np.arange(56)) // 2 % 251
    np.testing.assert_array_equal(taken[0], expected)


def test_equal_seeds_give_equal_crops_and_others_do_not():
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (60, 80, 3), np.uint8)
    label = rng.integers(0, 19, (60, 80), np.uint8)
    first, again, other = run_eager(image, label, [1, 1, 2])
    for part in (0, 1):
        np.testing.assert_array_equal(first[part], again[part])
        assert not np.array_equal(first[part], other[part])


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_window_of_the_source_suffices(subsampling):
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (120, 150, 3), np.uint8)
    encoded = encode(image, "JPEG", subsampling=subsampling)
    whole = decoding.decode_image(encoded)
    areas = []
    for seed in range(20):
        geometry = augment.sample_geometry((120, 150), CROP, [7, seed])
        window = augment.source_window(geometry)
        part = tf.io.decode_and_crop_jpeg(
            encoded, window, 3, dct_method="INTEGER_ACCURATE"
        )
        np.testing.assert_allclose(
            augment.warp_image(part, window[:2], geometry, CROP),
            augment.warp_image(whole, (0, 0), geometry, CROP),
            atol=0.02,
        )
        areas.append(tf.size(part) / tf.size(whole))
    # It is worth the trouble only if less is decoded.
    assert np.mean(areas) < 0.5

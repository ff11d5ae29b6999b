"""The paper's recipe as a whole, and what the extras leave alone."""

import numpy as np
import pytest
from gray_set import assert_equal, write_one
from image_files import random_image, random_label

from deepgbass.configs import DataConfig
from deepgbass.data import augment, pipeline
from deepgbass.data.dataset_info import IGNORE_LABEL

STILL = {"min_scale": 1.0, "max_scale": 1.0, "flip": False}


def crops_of(dataset, **config):
    return pipeline.training_batches(
        dataset,
        DataConfig(**{"crop_size": (64, 64)} | config),
        batch_size=1,
        seed=5,
    ).take(20)


def take(dataset, **config):
    return list(crops_of(dataset, **config).as_numpy_iterator())


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    rng = np.random.default_rng(0)
    image, label = random_image(rng, 80, 90), random_label(rng, 80, 90)
    label[:, :45] = 0
    return write_one(tmp_path_factory.mktemp("noise"), image, label)


@pytest.fixture(scope="module")
def plain(noise):
    return take(noise)


@pytest.fixture(scope="module")
def chosen(noise):
    return take(noise, max_class_share=0.8)


@pytest.mark.parametrize("size", [(20, 40), (64, 48), (300, 2)])
def test_longer_side_fills_the_crop_and_the_rest_is_ignored(tmp_path, size):
    # As for ADE20K-32: longer side to the crop's, the other padded.
    dataset = write_one(
        tmp_path, np.full((*size, 3), 9, np.uint8), np.ones(size, np.uint8)
    )
    image, label = take(dataset, resize_longer_side=64, **STILL)[0]
    height, width = (max(round(n * 64 / max(size)), 1) for n in size)
    assert max(height, width) == 64
    assert np.all(label[0, :height, :width] == 1)
    assert (label == 1).sum() == height * width
    assert np.all(label[label != 1] == IGNORE_LABEL)
    assert np.all(image[label == 1] == 9)
    assert np.all(image[label != 1] == augment.MEAN_PIXEL)


@pytest.mark.parametrize(
    ("ignored", "ids"), [(255, {0, 1, 2}), (0, {1, 2}), (2, {0, 1})]
)
def test_padding_is_no_class_whatever_the_ignored_id(tmp_path, ignored, ids):
    """Class 0 is a real class, or "Other", which is ignored; never padding."""
    stored = np.tile(np.uint8([0, 1, 2, 2]), (16, 8))
    image = np.full((16, 32, 3), 200, np.uint8)
    dataset = write_one(tmp_path, image, stored, ignore_label=ignored)
    image, label = take(dataset, **STILL)[0]
    counts = {i: int((label == i).sum()) for i in np.unique(label)}
    expected = {i: int((stored == i).sum()) for i in ids}
    assert counts == expected | {IGNORE_LABEL: 64 * 64 - sum(expected.values())}
    padding = (image == augment.MEAN_PIXEL).all(-1)
    assert padding.sum() == 64 * 64 - stored.size
    assert np.all(label[padding] == IGNORE_LABEL)


def test_colours_change_the_image_alone_and_not_its_padding(noise, plain):
    data = crops_of(
        noise, brightness=0.3, contrast=0.5, saturation=0.5, hue=0.3
    )
    changed = list(data.as_numpy_iterator())
    assert_equal(changed, list(data.as_numpy_iterator()))
    padded = False
    for (image, label), (other, same) in zip(plain, changed, strict=True):
        np.testing.assert_array_equal(label, same)
        assert other.min() >= 0 and other.max() <= 255
        outside = (image == augment.MEAN_PIXEL).all(-1)
        padded |= outside.any()
        assert np.all(other[outside] == augment.MEAN_PIXEL)
        assert np.mean(image[~outside] == other[~outside]) < 0.1
    assert padded


def test_rare_class_crops_are_the_plain_ones_where_these_are_good(
    plain, chosen
):
    good = []
    for one, other in zip(plain, chosen, strict=True):
        counts = np.bincount(one[1][one[1] != IGNORE_LABEL])
        good.append(counts.max() < 0.8 * counts.sum())
        if good[-1]:
            assert_equal([one], [other])
    assert 0 < sum(good) < 20


def test_one_extra_does_not_disturb_another(noise, chosen):
    both = take(noise, max_class_share=0.8, hue=0.2)
    for (image, label), (other, same) in zip(chosen, both, strict=True):
        np.testing.assert_array_equal(label, same)
        assert not np.array_equal(image, other)

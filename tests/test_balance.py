import numpy as np
import pytest
import tensorflow as tf

from deepgbass.data import augment, balance
from deepgbass.data.dataset_info import IGNORE_LABEL

CROP = (20, 20)


def draw(label, seed, max_share):
    """The first crop of a label and the one chosen instead."""
    first = augment.sample_geometry(tf.shape(label), CROP, tf.stack([1, seed]))
    chosen = balance.avoid_dominance(
        first, label, CROP, tf.stack([2, seed]), max_share
    )
    return first, chosen


def share(label, geometry):
    """The share of the largest class; 1 where nothing is labelled."""
    crop = augment.warp_label(label, geometry, CROP).numpy()
    counts = np.bincount(crop[crop != IGNORE_LABEL])
    return counts.max() / counts.sum() if counts.size else 1.0


@pytest.fixture
def stripe():
    """Two classes side by side, above an ignored band."""
    label = np.zeros((60, 60), np.uint8)
    label[:, :20] = 1
    label[50:] = IGNORE_LABEL
    return label


def test_crops_are_drawn_anew_only_where_one_class_rules(stripe):
    moved = better = 0
    crops = tf.data.Dataset.range(60).map(lambda seed: draw(stripe, seed, 0.9))
    for first, chosen in crops:
        for kept in ("source", "scaled", "size", "flip"):
            np.testing.assert_array_equal(
                getattr(first, kept), getattr(chosen, kept)
            )
        room = np.maximum(first.scaled - CROP, 0)
        assert np.all((chosen.offset >= 0) & (chosen.offset <= room))
        if share(stripe, first) < 0.9:
            np.testing.assert_array_equal(first.offset, chosen.offset)
        else:
            moved += 1
            better += share(stripe, chosen) < 0.9
    # A rule that did nothing would mend none, one of a single try a quarter.
    assert moved > 20 and better > 0.75 * moved


def test_the_share_is_of_the_labelled_pixels():
    # Class 1 has half of the crop, but all of what is labelled in it.
    label = np.full(CROP, IGNORE_LABEL, np.uint8)
    label[:10] = 1
    first = augment.sample_geometry(
        CROP, CROP, (1, 0), min_scale=3.0, max_scale=3.0, flip=False
    )
    first = first._replace(offset=tf.constant([20, 0]))
    chosen = balance.avoid_dominance(first, label, CROP, (2, 0), 0.75)
    assert not np.array_equal(first.offset, chosen.offset)


@pytest.mark.parametrize("value", [0, IGNORE_LABEL])
def test_it_ends_where_no_crop_is_good(value):
    label = np.full((60, 60), value, np.uint8)
    first, chosen = draw(label, 0, 0.75)
    assert share(label, chosen) == 1.0
    assert not np.array_equal(first.offset, chosen.offset)


def test_the_seed_decides_in_eager_and_graph(stripe):
    def offset(seed):
        return draw(stripe, seed, 0.9)[1].offset

    graph = tf.data.Dataset.range(6).map(offset).as_numpy_iterator()
    for seed, found in enumerate(graph):
        np.testing.assert_array_equal(offset(np.int64(seed)), found)

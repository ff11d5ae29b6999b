"""The scenes: every class there, thin ones thin, none told by its colour."""

import numpy as np
import pytest
from scipy import ndimage

from deepgbass.data.dataset_info import IGNORE_LABEL
from deepgbass.data.synthetic_scene import CLASS_NAMES, render_scene


@pytest.fixture(scope="module")
def scenes():
    return [
        render_scene(np.random.default_rng(i), (96, 128)) for i in range(40)
    ]


def test_every_class_is_common_enough_to_learn(scenes):
    labels = np.stack([label for _, label in scenes])
    share = np.bincount(labels.ravel(), minlength=256) / labels.size
    assert share[: len(CLASS_NAMES)].min() > 0.012
    assert share[0] < 0.75
    assert 0.01 < share[IGNORE_LABEL] < 0.04
    assert share[: len(CLASS_NAMES)].sum() + share[IGNORE_LABEL] == 1


def test_poles_are_one_to_three_pixels_wide(scenes):
    widths = []
    for _, label in scenes:
        for row in label == CLASS_NAMES.index("pole"):
            edges = np.flatnonzero(np.diff(np.r_[0, row, 0].astype(np.int8)))
            widths.extend(edges[1::2] - edges[::2])
    counts = np.bincount(widths)
    # Crossing poles and slant make a few runs wider.
    assert counts[1:4].sum() > 0.95 * counts.sum()
    assert np.all(counts[1:4] > 0.1 * counts.sum())


def test_rings_have_holes(scenes):
    holes = 0
    for _, label in scenes:
        ring = label == CLASS_NAMES.index("ring")
        holes += (ndimage.binary_fill_holes(ring) & ~ring).sum() > 20
    assert holes > 20


def test_shapes_cannot_be_told_by_color_alone(scenes):
    """The nearest mean colour of a class is a bad guess."""
    pixels = np.concatenate([image.reshape(-1, 3) for image, _ in scenes])
    ids = np.concatenate([label.ravel() for _, label in scenes])
    for one, other in (("disc", "blob"), ("box", "ring")):
        pair = [CLASS_NAMES.index(name) for name in (one, other)]
        colors = [np.float64(pixels[ids == i]) for i in pair]
        means = np.stack([color.mean(0) for color in colors])
        right = [
            np.mean(np.argmin(((color[:, None] - means) ** 2).sum(-1), 1) == i)
            for i, color in enumerate(colors)
        ]
        assert np.mean(right) < 0.8

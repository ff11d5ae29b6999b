import numpy as np
import pytest
from label_pairs import random_pair
from scipy.ndimage import binary_erosion

from deepgbass.metrics.boundaries import boundary_pixels, boundary_points
from deepgbass.metrics.boundary_rule import CHOICES

CROSS = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]


def of_one_class(mask, kind):
    """A class's boundary from its mask alone."""
    if kind == "seg2bmap":
        boundary = np.zeros_like(mask)
        boundary[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
        boundary[:-1] |= mask[:-1] ^ mask[1:]
        boundary[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
        return boundary
    structure = np.ones((3, 3)) if kind.startswith("inner8") else CROSS
    outside = kind.endswith("_noframe")
    return mask & ~binary_erosion(mask, structure, border_value=outside)


@pytest.mark.parametrize("shape", [(20, 26), (1, 7), (7, 1), (2, 2)])
@pytest.mark.parametrize("kind", CHOICES["boundary"])
def test_all_classes_at_once_are_each_class_alone(kind, shape):
    ids, _ = random_pair(shape, ignore=0.1)
    ids[ids == 255] = -1
    classes, positions = boundary_points(ids, kind)
    for index in range(4):
        expected = of_one_class(ids == index, kind)
        found = np.zeros(ids.size, int)
        np.add.at(found, positions[classes == index], 1)
        np.testing.assert_array_equal(found.reshape(shape), expected)
    assert set(classes) <= set(range(4))


def test_one_class_has_the_frame_alone():
    ids = np.zeros((6, 7), np.uint8)
    assert boundary_pixels(ids).sum() == 22
    assert not boundary_pixels(ids, frame=False).any()
    assert not len(boundary_points(ids, "seg2bmap")[0])


def test_corners_touch_by_eight_neighbours_alone():
    ids = np.zeros((5, 5), int)
    ids[2, 2] = 1
    four = boundary_pixels(ids, 4, frame=False)
    eight = boundary_pixels(ids, 8, frame=False)
    assert (four.sum(), eight.sum()) == (5, 9)

"""Where pixels lie between the samples of a coarser map."""

from fractions import Fraction

import numpy as np
import pytest

from deepgbass.ondevice import sampling

# Samples, input, content and native pixels of an axis: without letterbox, at
# 4 and at odd ratios; with padding; reduced; enlarged; a single sample.
AXES = [
    (6, 24, 24, 24),
    (7, 25, 25, 25),
    (6, 24, 17, 17),
    (6, 24, 24, 61),
    (6, 24, 23, 10),
    (24, 24, 24, 24),
    (1, 8, 5, 5),
    (3, 1, 1, 1),
]


def position(pixel, few, size, content, native, align_corners):
    """The pixel in units of samples, a Fraction."""
    place = Fraction(2 * pixel + 1, 2) * Fraction(content, native)
    place = min(max(place - Fraction(1, 2), Fraction(0)), Fraction(content - 1))
    if align_corners:
        return place * Fraction(few - 1, max(size - 1, 1))
    return (place + Fraction(1, 2)) * Fraction(few, size) - Fraction(1, 2)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("axis", AXES)
def test_every_pixel_is_in_one_cell_at_its_share(axis, aligned):
    cells = sampling.cells(*axis, aligned)
    few, native = axis[0], axis[-1]
    assert cells.pixels.shape == cells.weights.shape
    assert cells.pixels.shape[1] == cells.used.size == few + 1
    found = {}
    for cell in np.flatnonzero(cells.used):
        column = cells.pixels[:, cell].tolist()
        for pixel, weight in zip(column, cells.weights[:, cell], strict=True):
            assert cells.of_pixel[pixel] == cell
            share = Fraction(int(weight), cells.whole)
            assert 0 <= share < 1
            # What is repeated has the same share.
            assert found.setdefault(pixel, share) == share
            assert cell - 1 + share == position(pixel, *axis, aligned)
    assert sorted(found) == list(range(native))


def test_a_regular_enlargement_has_small_shares_and_equal_cells():
    cells = sampling.cells(128, 512, 512, 512)
    assert cells.whole == 8 and cells.pixels.shape == (4, 129)
    assert cells.weights[:, 1:-1].T.tolist() == [[1, 3, 5, 7]] * 127


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("axis", AXES)
def test_the_nearest_sample_is_nearest(axis, aligned):
    few, size, content, native = axis
    found = sampling.nearest(*axis, aligned)
    assert found.shape == (native,)
    for pixel, sample in enumerate(found):
        place = Fraction(2 * pixel + 1, 2) * Fraction(content, native)
        place -= Fraction(1, 2)
        if aligned:
            place *= Fraction(few - 1, max(size - 1, 1))
        else:
            place = (place + Fraction(1, 2)) * Fraction(few, size)
            place -= Fraction(1, 2)
        distances = [abs(place - s) for s in range(few)]
        assert distances[sample] == min(distances)

"""Measurements of label maps, against shapes whose measures are known."""

import numpy as np
import pytest

from deepgbass.data.label_quality import (
    border_length,
    mean_width,
    measure_label,
)

VOID = 255


@pytest.mark.parametrize("angle", [0, 10, 22.5, 33, 45, 90])
@pytest.mark.parametrize("width", [8, 15])
def test_width_of_a_band_is_right_at_any_angle(angle, width):
    y, x = np.mgrid[:300, :300] - 149.5
    turn = np.radians(angle)
    band = abs(x * np.sin(turn) - y * np.cos(turn)) < width / 2
    found = mean_width(band.sum(), border_length(band))
    assert found == pytest.approx(width, rel=0.07)


def test_border_of_a_disc_is_its_circumference():
    y, x = np.mgrid[:300, :300] - 149.5
    disc = np.hypot(x, y) < 100
    assert border_length(disc) == pytest.approx(2 * np.pi * 100, rel=0.02)


def test_frame_is_no_border():
    assert border_length(np.ones((5, 7), bool)) == 0
    assert mean_width(35, 0.0) is None
    quality = measure_label(np.zeros((5, 7), np.uint8), VOID)
    assert quality.boundary.sum() == quality.ignored_border == 0


def test_boundary_between_classes_is_counted_on_both_sides():
    ids = np.zeros((10, 8), np.uint8)
    ids[:, 5:] = 2
    quality = measure_label(ids, VOID)
    assert quality.boundary[[0, 1, 2]].tolist() == [10, 0, 10]
    assert quality.hidden.sum() == 0


def test_boundary_under_an_ignored_band_is_hidden():
    ids = np.zeros((10, 8), np.uint8)
    ids[:, 5:] = 2
    ids[:, 4] = VOID
    quality = measure_label(ids, VOID)
    assert quality.boundary[[0, 2]].tolist() == [10, 10]
    np.testing.assert_array_equal(quality.hidden, quality.boundary)
    # Open at one row, where the band ends.
    ids[0, 4] = 0
    quality = measure_label(ids, VOID)
    assert quality.boundary[[0, 2]].tolist() == [10, 10]
    assert quality.hidden[[0, 2]].tolist() == [9, 9]


def test_measures_agree_with_a_count_pixel_by_pixel():
    rng = np.random.default_rng(0)
    ids = rng.choice(np.uint8([0, 1, 2, 11]), (13, 17))
    boundary, hidden = np.zeros((2, 256), int)
    for (row, column), own in np.ndenumerate(ids):
        near = {
            int(ids[y, x])
            for y, x in (
                (row - 1, column),
                (row + 1, column),
                (row, column - 1),
                (row, column + 1),
            )
            if 0 <= y < 13 and 0 <= x < 17
        } - {int(own)}
        if own != 11 and near:
            boundary[own] += 1
            hidden[own] += near == {11}
    quality = measure_label(ids, 11)
    np.testing.assert_array_equal(quality.boundary, boundary)
    np.testing.assert_array_equal(quality.hidden, hidden)

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from deepgbass.errors import UserError
from deepgbass.metrics.boundary_f1 import Tolerance, boundary_counts
from deepgbass.reports.boundary_pictures import (
    BOUNDARY_COLORS,
    boundary_errors,
    boundary_matches,
)

ERRORS = ("missed", "false", "wrong class")


def random_maps(seed=0, shape=(40, 56)):
    """Blocky truth with an ignored corner, and a shifted, noisy guess."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 3, (shape[0] // 8, shape[1] // 8))
    label = blocks.repeat(8, axis=0).repeat(8, axis=1)
    prediction = np.roll(label, (2, 3), (0, 1))
    prediction[20:26, 30:40] = 1
    label[:9, :9] = 255
    return label, prediction


def has(picture, name):
    color = BOUNDARY_COLORS[name]
    return (picture == color).all(axis=-1)


TOLERANCES = [Tolerance(0.05), *(Tolerance(px, "px") for px in (1, 2, 3))]


@pytest.mark.parametrize("tolerance", TOLERANCES, ids=str)
def test_boundary_matches_agree_with_distance_maps(tolerance):
    label, prediction = random_maps()
    ignored = label == 255
    diagonal = np.hypot(*label.shape)
    found, missed, false = boundary_matches(label, prediction, tolerance)

    def boundary(mask):
        core = np.pad(mask, 1)
        return mask & ~(
            core[:-2, 1:-1] & core[2:, 1:-1] & core[1:-1, :-2] & core[1:-1, 2:]
        )

    def near(mask):
        if not mask.any():
            return mask
        distance = distance_transform_edt(~mask)
        if tolerance.unit == "diagonal":
            return distance < tolerance.value * diagonal
        return distance <= tolerance.value

    expected = np.zeros((3, *label.shape), bool)
    for index in range(3):
        true = boundary((label == index) & ~ignored)
        guessed = boundary((prediction == index) & ~ignored)
        expected[0] |= true & near(guessed)
        expected[1] |= true & ~near(guessed)
        expected[2] |= guessed & ~near(true)
    np.testing.assert_array_equal([found, missed, false], expected)
    assert expected.any(axis=(1, 2)).all()


@pytest.mark.parametrize("tolerance", TOLERANCES, ids=str)
def test_boundary_matches_are_the_pixels_that_the_metric_counts(tolerance):
    label, prediction = random_maps(seed=1)
    found, missed, false = boundary_matches(label, prediction, tolerance)
    counts = boundary_counts(label, prediction, 3, [tolerance], 255)
    predicted, true, precise, recalled = counts[0].sum(axis=0)
    assert found.sum() == recalled
    assert missed.sum() == true - recalled
    assert false.sum() == predicted - precise


def test_perfect_prediction_has_no_error_pixel():
    label, _ = random_maps()
    prediction = np.where(label == 255, 2, label)
    picture = boundary_errors(label, prediction)
    assert has(picture, "found").any()
    assert not any(has(picture, name).any() for name in ERRORS)


def test_ignored_pixels_are_hatched_and_never_errors():
    # Large enough for thick lines, which must not run into ignored pixels.
    label, prediction = random_maps(shape=(480, 560))
    ignored = label == 255
    picture = boundary_errors(label, prediction, tolerance=Tolerance(1, "px"))
    for name in ("found", *ERRORS):
        assert not has(picture, name)[ignored].any()
    assert has(picture, "ignored")[ignored].any()
    assert not has(picture, "ignored")[~ignored].any()


def test_each_kind_of_error_has_its_colour():
    label = np.zeros((60, 80), int)
    label[10:20, 10:20] = 1
    label[40:50, 60:70] = 2
    prediction = np.zeros_like(label)
    prediction[10:20, 50:60] = 1
    prediction[40:50, 60:70] = 1
    picture = boundary_errors(label, prediction)
    assert has(picture, "missed")[10, 15]
    assert has(picture, "false")[10, 55]
    assert has(picture, "wrong class")[40, 65]


def test_errors_are_drawn_over_the_grey_image():
    label, prediction = random_maps()
    image = np.zeros((*label.shape, 3))
    image[..., 0] = 255
    picture = boundary_errors(label, prediction, image)
    assert picture.shape == image.shape and picture.dtype == np.uint8
    drawn = np.any([has(picture, n) for n in BOUNDARY_COLORS], 0)
    rest = picture[~drawn & (label != 255)]
    assert len(rest) and np.ptp(rest) == 0


def test_lines_of_a_large_image_are_thicker_but_stay_in_place():
    label = np.zeros((540, 40), int)
    label = np.repeat(label, 14, axis=1)
    label[200:] = 1
    prediction = np.where(np.arange(540)[:, None] < 300, 0, 1) + 0 * label
    picture = boundary_errors(label, prediction)
    rows = np.flatnonzero(has(picture, "missed")[:, 280])
    assert list(rows) == [198, 199, 200, 201]


def test_boundary_errors_refuse_maps_of_different_size():
    with pytest.raises(UserError, match="prediction has the size"):
        boundary_errors(np.zeros((4, 4)), np.zeros((4, 5)))

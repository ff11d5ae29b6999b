import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import distance_transform_edt

from deepgbass.errors import UserError
from deepgbass.metrics.boundary_f1 import Tolerance, boundary_counts
from deepgbass.reports import visualize

COLORS = [(10, 20, 30), (200, 0, 0), (0, 200, 0)]
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
    color = visualize.BOUNDARY_COLORS[name]
    return (picture == color).all(axis=-1)


def test_colorize_paints_each_class_and_darkens_ignored_pixels():
    label = np.array([[0, 1], [2, 255]])
    picture = visualize.colorize(label, COLORS)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(
        picture, [COLORS[:2], [COLORS[2], visualize.IGNORED]]
    )


@pytest.mark.parametrize("bad", [-1, 3, 254])
def test_colorize_refuses_an_id_without_a_colour(bad):
    with pytest.raises(UserError, match=f"id {bad} .* 0..2 or 255"):
        visualize.colorize(np.array([[0, bad]]), COLORS)


def test_overlay_blends_by_alpha_and_leaves_ignored_pixels():
    image = np.full((1, 2, 3), 100.0)
    label = np.array([[1, 255]])
    blended = visualize.overlay(image, label, COLORS, alpha=0.25)
    assert blended.dtype == np.uint8
    np.testing.assert_array_equal(blended, [[[125, 75, 75], [100, 100, 100]]])


def test_overlay_refuses_another_size_and_a_grey_image():
    label = np.zeros((4, 5), int)
    with pytest.raises(UserError, match=r"label has the size \(4, 5\)"):
        visualize.overlay(np.zeros((5, 4, 3)), label, COLORS)
    with pytest.raises(UserError, match=r"shape \(4, 5\); it must be RGB"):
        visualize.overlay(np.zeros((4, 5)), label, COLORS)


@pytest.mark.parametrize(
    "times, columns", [(1, [4, 5]), (100, [499, 500, 501])]
)
def test_borders_are_drawn_in_both_classes(times, columns):
    label = (np.arange(8 * times) >= 5 * times).astype(int)
    label = np.tile(label, (6 * times, 1))
    picture = np.full((*label.shape, 3), 9, np.uint8)
    drawn = visualize.draw_borders(picture, label)
    lines = (drawn == visualize.BORDER).all(axis=-1)
    assert (lines == lines[0]).all()
    assert np.flatnonzero(lines[0]).tolist() == columns
    assert (drawn[~lines] == 9).all() and (picture == 9).all()


def test_pictures_side_by_side_are_whole():
    left, right = (np.full((4, 5, 3), value, np.uint8) for value in (7, 21))
    both = visualize.side_by_side(left, right)
    assert both.dtype == np.uint8 and both.shape[0] == 4
    np.testing.assert_array_equal(both[:, :5], left)
    np.testing.assert_array_equal(both[:, -5:], right)
    assert both.shape[1] > 10
    with pytest.raises(UserError, match="left has the size"):
        visualize.side_by_side(left, right[:3])


TOLERANCES = [Tolerance(0.05), *(Tolerance(px, "px") for px in (1, 2, 3))]


@pytest.mark.parametrize("tolerance", TOLERANCES, ids=str)
def test_boundary_matches_agree_with_distance_maps(tolerance):
    label, prediction = random_maps()
    ignored = label == 255
    diagonal = np.hypot(*label.shape)
    found, missed, false = visualize.boundary_matches(
        label, prediction, tolerance
    )

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
    found, missed, false = visualize.boundary_matches(
        label, prediction, tolerance
    )
    counts = boundary_counts(label, prediction, 3, [tolerance], 255)
    predicted, true, precise, recalled = counts[0].sum(axis=0)
    assert found.sum() == recalled
    assert missed.sum() == true - recalled
    assert false.sum() == predicted - precise


def test_perfect_prediction_has_no_error_pixel():
    label, _ = random_maps()
    prediction = np.where(label == 255, 2, label)
    picture = visualize.boundary_errors(label, prediction)
    assert has(picture, "found").any()
    assert not any(has(picture, name).any() for name in ERRORS)


def test_ignored_pixels_are_hatched_and_never_errors():
    # Large enough for thick lines, which must not run into ignored pixels.
    label, prediction = random_maps(shape=(480, 560))
    ignored = label == 255
    picture = visualize.boundary_errors(
        label, prediction, tolerance=Tolerance(1, "px")
    )
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
    picture = visualize.boundary_errors(label, prediction)
    assert has(picture, "missed")[10, 15]
    assert has(picture, "false")[10, 55]
    assert has(picture, "wrong class")[40, 65]


def test_errors_are_drawn_over_the_grey_image():
    label, prediction = random_maps()
    image = np.zeros((*label.shape, 3))
    image[..., 0] = 255
    picture = visualize.boundary_errors(label, prediction, image)
    assert picture.shape == image.shape and picture.dtype == np.uint8
    drawn = np.any([has(picture, n) for n in visualize.BOUNDARY_COLORS], 0)
    rest = picture[~drawn & (label != 255)]
    assert len(rest) and np.ptp(rest) == 0


def test_lines_of_a_large_image_are_thicker_but_stay_in_place():
    label = np.zeros((540, 40), int)
    label = np.repeat(label, 14, axis=1)
    label[200:] = 1
    prediction = np.where(np.arange(540)[:, None] < 300, 0, 1) + 0 * label
    picture = visualize.boundary_errors(label, prediction)
    rows = np.flatnonzero(has(picture, "missed")[:, 280])
    assert list(rows) == [198, 199, 200, 201]


def test_boundary_errors_refuse_maps_of_different_size():
    with pytest.raises(UserError, match="prediction has the size"):
        visualize.boundary_errors(np.zeros((4, 4)), np.zeros((4, 5)))


@pytest.mark.parametrize("width, factor", [(100, 3), (160, 2), (161, 1)])
def test_small_pictures_are_enlarged_by_whole_pixels(width, factor):
    picture = np.arange(4 * width * 3).reshape(4, width, 3)
    enlarged = visualize.enlarge(picture)
    assert enlarged.shape == (4 * factor, width * factor, 3)
    rows, columns = (np.arange(n) // factor for n in enlarged.shape[:2])
    np.testing.assert_array_equal(enlarged, picture[rows][:, columns])


@pytest.mark.parametrize("shape", [(60, 90, 3), (90, 60, 3)])
def test_shrinking_averages_areas_within_the_longer_side(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    shrunk = visualize.shrink(picture, 30)
    height, width = shape[0] // 3, shape[1] // 3
    means = picture.reshape(height, 3, width, 3, 3).mean((1, 3))
    assert shrunk.dtype == np.uint8
    # It rounds twice, after either axis.
    np.testing.assert_allclose(shrunk, means, atol=1)


def test_shrinking_keeps_what_fits_and_never_loses_a_side():
    picture = np.full((2, 500, 3), 9, np.uint8)
    np.testing.assert_array_equal(visualize.shrink(picture, 500), picture)
    assert visualize.shrink(picture, 100).shape == (1, 100, 3)
    assert visualize.shrink(picture[:1], 333).shape == (1, 333, 3)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_save_png_is_lossless(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    path = tmp_path / "new" / "picture.png"
    visualize.save_png(path, array)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), array)


def test_save_png_leaves_the_old_file_when_it_fails(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        visualize.save_png(path, np.zeros((2, 2, 7), np.uint8))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]

import numpy as np
import pytest
from PIL import Image

from deepgbass.errors import UserError
from deepgbass.reports import visualize

COLORS = [(10, 20, 30), (200, 0, 0), (0, 200, 0)]


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

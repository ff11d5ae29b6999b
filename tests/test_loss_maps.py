import numpy as np
import pytest

from deepgbass.losses import SBALoss
from deepgbass.reports.loss_maps import (
    heat,
    loss_figure,
    loss_maps,
    loss_pictures,
)

COLORS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


@pytest.fixture(scope="module")
def scene():
    """A true edge between classes 0 and 1; the prediction's is 6 px off."""
    label = np.zeros((24, 40), np.int32)
    label[:, 20:] = 1
    label[:, :2] = 255
    prediction = np.zeros_like(label)
    prediction[:, 26:] = 1
    logits = 20 * np.eye(3, dtype=np.float32)[prediction]
    return label, prediction, logits


def test_maps_mark_the_true_and_the_predicted_edge(scene):
    label, _, logits = scene
    maps = loss_maps(SBALoss(noise=False), label, logits)
    for name, edge in (("true", 20), ("predicted", 26)):
        row = maps[name][12]
        assert row.argmax() in (edge - 1, edge)
        assert row.max() == pytest.approx(1, abs=0.01)
        assert set(np.flatnonzero(maps[f"{name}_mask"][12, 9:]) + 9) == set(
            range(edge - 5, edge + 5)
        )
    weights = maps["weights"]
    assert weights[12, 20] > 0.3
    # Nothing is wrong far from both edges, nor where nothing is known.
    assert not weights[:, 36:].any()
    assert not weights[:, :2].any()


def test_a_class_has_its_own_maps(scene):
    label, _, logits = scene
    maps = loss_maps(SBALoss(noise=False), label, logits, class_id=2)
    assert not maps["true_mask"].any()
    assert not maps["predicted_mask"].any()


def test_pictures_and_figure(scene):
    label, prediction, logits = scene
    maps = loss_maps(SBALoss(noise=False, normalizer=1.0), label, logits)
    image = np.full((*label.shape, 3), 100, np.uint8)
    pictures = loss_pictures(maps, image, label, prediction, COLORS, peak=0.18)
    assert len(pictures) == 8
    for picture in pictures.values():
        assert picture.shape == image.shape
        assert picture.dtype == np.uint8
    heat = pictures["ξ̂: true boundaries"].sum(-1)[12]
    assert heat.argmax() in (19, 20)
    assert heat.max() > 600  # brightest at the peak, whatever the normaliser
    figure = loss_figure(pictures, "title")
    drawn = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in drawn] == list(pictures)


def test_heat_rises_from_dark_to_bright_at_the_peak():
    values = np.array([[-1.0, 0.0, 0.25, 0.5, 1.0, 2.0]])
    picture = heat(values, peak=1.0)
    assert picture.dtype == np.uint8 and picture.shape == (1, 6, 3)
    light = picture.sum(-1, dtype=int)[0]
    assert light[0] == light[1] < light[2] < light[3] < light[4] == light[5]
    np.testing.assert_array_equal(heat(values / 4, peak=0.25), picture)

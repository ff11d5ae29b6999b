import numpy as np
import pytest
from label_pairs import random_pair
from scipy.ndimage import distance_transform_edt

from deepgbass.errors import UserError
from deepgbass.metrics.distance_bands import DistanceBands
from deepgbass.metrics.mean_iou import MeanIoU


def distance_to_another_class(label):
    """Of every valid pixel, from one distance map for each class."""
    distance = np.full(label.shape, np.inf)
    for index in np.unique(label[label != 255]):
        others = (label != index) & (label != 255)
        if others.any():
            own = label == index
            distance[own] = distance_transform_edt(~others)[own]
    return distance


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_bands_equal_distance_maps(dtype):
    label, prediction = random_pair((40, 60), ignore=0.3)
    label[:, 30:] = np.where(label[:, 30:] == 255, 255, 2)
    widths = (1, 2, 3, 5, 11, 20)
    metric = DistanceBands(4, widths)
    metric.update(label.astype(dtype), prediction.astype(dtype))
    result = metric.result()
    distance = distance_to_another_class(label)
    for i, width in enumerate(widths):
        inside = (label != 255) & (distance <= width)
        expected = MeanIoU(4)
        expected.update(np.where(inside, label, 255), prediction)
        expected = expected.result()
        np.testing.assert_array_equal(result.confusion[i], expected.confusion)
        np.testing.assert_array_equal(result.per_class[i], expected.per_class)
        assert result.miou[i] == expected.miou
        assert result.pixel_accuracy[i] == expected.pixel_accuracy
        assert result.pixels[i] == inside.sum()
    assert 0 < result.pixels[0] < result.pixels[-1] < (label != 255).sum()


def test_both_sides_of_an_edge_are_at_distance_one():
    label = np.zeros((6, 8), int)
    label[:, 4:] = 1
    prediction = np.roll(label, 1, axis=1)
    metric = DistanceBands(2, (1, 2))
    metric.update(label, prediction)
    result = metric.result()
    np.testing.assert_array_equal(result.pixels, [12, 24])
    np.testing.assert_array_equal(result.pixel_accuracy, [0.5, 0.75])


def test_ignored_pixels_and_the_frame_make_no_boundary():
    label = np.zeros((6, 8), int)
    label[2, 3] = 255
    metric = DistanceBands(2)
    metric.update(label, label * 0)
    assert (metric.result().pixels == 0).all()
    assert np.isnan(metric.result().miou).all()


def test_the_text_has_a_line_for_each_band():
    label = np.zeros((6, 8), int)
    label[:, 4:] = 1
    metric = DistanceBands(2, (1, 16))
    metric.update(label, label)
    lines = str(metric.result()).splitlines()
    assert "another true class" in lines[0]
    assert lines[1:] == [
        "   1 px: mIoU 100.00 %, accuracy 100.00 %, 12 pixels",
        "  16 px: mIoU 100.00 %, accuracy 100.00 %, 48 pixels",
    ]


@pytest.mark.parametrize("widths", [(), (0, 1), (2, 1), (1, 1), (1.5,), (-1,)])
def test_bad_widths_are_refused(widths):
    with pytest.raises(UserError, match="widths are .* increasing"):
        DistanceBands(2, widths)

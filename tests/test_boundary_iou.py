import numpy as np
import pytest
from label_pairs import random_pair
from scipy.ndimage import binary_erosion

from deepgbass.errors import UserError
from deepgbass.metrics.boundary_iou import BoundaryIoU, inner_band


@pytest.mark.parametrize("name", ["camvid", "c32", "corner"])
def test_fixtures(shared, name):
    folder = shared / "fixtures/boundary_f1"
    data = np.load(folder / f"bf_{name}.npz")
    counts = np.load(folder / "biou.npz")
    for ratio in (0.02, 0.0075):
        metric = BoundaryIoU(data["confusion"].shape[1], ratio)
        for label, prediction in zip(data["gt"], data["pred"], strict=True):
            metric.update(label, prediction)
        key = f"{name}__r{ratio}".replace(".", "p")
        np.testing.assert_array_equal(metric.result().counts, counts[key])


@pytest.mark.parametrize("width", [1, 2, 5, 40])
def test_bands_are_what_erosions_of_each_class_take_away(width):
    ids, _ = random_pair((40, 50), ignore=0.002)
    ids = np.where(ids == 255, -1, ids)
    band = inner_band(ids, width)
    for index in range(4):
        mask = ids == index
        core = binary_erosion(mask, np.ones((3, 3)), iterations=width)
        np.testing.assert_array_equal(band == index, mask & ~core)


def test_counts_are_summed_over_images():
    metric = BoundaryIoU(3)
    pairs = [random_pair(seed=seed, num_classes=3) for seed in range(2)]
    for pair in pairs:
        metric.update(*pair)
    result = metric.result()
    intersection, union = result.counts.sum(axis=0).T
    np.testing.assert_array_equal(result.per_class, intersection / union)
    assert result.biou == pytest.approx((intersection / union).mean())


def test_perfect_is_one_and_a_missed_class_zero():
    label = np.zeros((20, 30), int)
    label[5:9, 5:9] = 1
    metric = BoundaryIoU(3)
    metric.update(label, label)
    np.testing.assert_array_equal(metric.result().per_class, [1, 1, np.nan])
    metric.reset()
    metric.update(label, np.zeros_like(label))
    assert metric.result().per_class[1] == 0


def test_results_name_width_and_rule():
    metric = BoundaryIoU(2, dilation=0.1)
    assert str(metric.result()).startswith("boundary IoU nan % (10 % diag, ")
    for side in (30, 40):
        zeros = np.zeros((side, side), int)
        metric.update(zeros, zeros)
    assert metric.result().widths == (4, 6)
    assert str(metric.result()) == (
        "boundary IoU 100.00 % (10 % diag (4 to 6 px), inner bands by 3x3 "
        "erosions, frame counts, data set union, ignore cleared)"
    )


@pytest.mark.parametrize("dilation", [0, -0.1, 1, 5])
def test_bad_widths_are_refused(dilation):
    with pytest.raises(UserError, match=f"dilation is {dilation}"):
        BoundaryIoU(2, dilation)

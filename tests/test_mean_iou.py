import json

import numpy as np
import pytest

from deepgbass.errors import UserError
from deepgbass.metrics.mean_iou import MeanIoU


def measure(pairs, num_classes, **options):
    metric = MeanIoU(num_classes, **options)
    for label, prediction in pairs:
        metric.update(label, prediction)
    return metric.result()


def random_pair(shape=(9, 11), num_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, num_classes, shape)
    wrong = rng.integers(0, num_classes, shape)
    prediction = np.where(rng.random(shape) < 0.6, label, wrong)
    return np.where(rng.random(shape) < 0.2, 255, label), prediction


@pytest.mark.parametrize("name", ["camvid", "c32", "corner"])
def test_fixtures(shared, name):
    folder = shared / "fixtures/boundary_f1"
    data = np.load(folder / f"bf_{name}.npz")
    aggregates = json.loads((folder / "bf_aggregates.json").read_text())[name]
    pairs = list(zip(data["gt"], data["pred"], strict=True))
    num_classes = data["confusion"].shape[1]
    result = measure(pairs, num_classes)
    np.testing.assert_array_equal(result.confusion, data["confusion"].sum(0))
    close = {"rtol": 0, "atol": 1e-12}
    np.testing.assert_allclose(result.per_class, data["iou_dataset"], **close)
    # MLPerf's rule for ADE20K-32: whatever is 0 in the truth is dropped.
    dropped = result.without(0)
    np.testing.assert_allclose(dropped.per_class, data["iou_mlperf"], **close)
    in_truth = result.per_class[result.confusion.sum(axis=1) > 0]
    single = [measure([pair], num_classes) for pair in pairs]
    for key, value in {
        "mIoU_dataset_union": result.miou,
        "mIoU_dataset_gtpresent": in_truth.mean(),
        "mIoU_mean_of_images_union": np.nanmean([r.miou for r in single]),
        "mIoU_mlperf_drop0": dropped.miou,
        "mIoU_tf1_ignore0_div_valid_entries": np.nanmean(dropped.per_class),
        "pixel_acc": result.pixel_accuracy,
    }.items():
        assert value == pytest.approx(aggregates[key], rel=0, abs=1e-12), key


def test_excluding_a_class_is_the_same_before_and_after():
    pairs = [random_pair(seed=seed) for seed in range(3)]
    after = measure(pairs, 4).without(0)
    assert (after.confusion[0] == 0).all() and after.confusion[1:, 0].all()
    assert after.per_class[0] == 0
    assert after.miou == after.per_class[1:].mean()
    for before in (
        measure(pairs, 4, excluded=(0,)),
        measure(
            [(np.where(a == 255, 0, a), b) for a, b in pairs], 4, ignore_label=0
        ),
    ):
        assert before.excluded == after.excluded == (0,)
        assert before.miou == after.miou
        assert before.pixel_accuracy == after.pixel_accuracy
        np.testing.assert_array_equal(before.confusion, after.confusion)
    assert after.without(2).excluded == (0, 2)
    with pytest.raises(UserError, match="excluded holds 9"):
        after.without(9)


def test_equals_sets_of_pixels():
    pairs = [random_pair(seed=seed) for seed in range(3)]
    result = measure(pairs, 4)
    labels, predictions = (np.stack(x) for x in zip(*pairs, strict=True))
    valid = labels != 255
    for c in range(4):
        true, found = valid & (labels == c), valid & (predictions == c)
        iou = (true & found).sum() / (true | found).sum()
        assert result.per_class[c] == pytest.approx(iou)
    assert result.miou == pytest.approx(result.per_class.mean())
    accuracy = (labels == predictions)[valid].mean()
    assert result.pixel_accuracy == pytest.approx(accuracy)


def test_absent_classes_are_left_out_and_invented_ones_score_zero():
    label = np.zeros((4, 4), np.uint8)
    prediction = label.copy()
    prediction[0, 0] = 2
    result = measure([(label, prediction)], 4)
    np.testing.assert_array_equal(
        result.per_class, [15 / 16, np.nan, 0, np.nan]
    )
    assert result.miou == pytest.approx(15 / 32)


def test_small_dtypes_do_not_overflow():
    label = np.full((2, 2), 18, np.uint8)
    result = measure([(label, label.astype(np.int8))], 19)
    assert result.confusion[18, 18] == 4
    assert result.confusion.sum() == 4


def test_nothing_seen_is_nan_and_reset_forgets():
    metric = MeanIoU(2)
    metric.update(np.zeros((2, 2), int), np.ones((2, 2), int))
    assert metric.result().miou == 0
    metric.reset()
    metric.update(np.full((2, 2), 255), np.ones((2, 2), int))
    result = metric.result()
    assert np.isnan(
        [result.miou, result.pixel_accuracy, *result.per_class]
    ).all()

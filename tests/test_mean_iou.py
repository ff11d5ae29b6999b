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
    data = np.load(shared / f"fixtures/boundary_f1/bf_{name}.npz")
    pairs = list(zip(data["gt"], data["pred"], strict=True))
    num_classes = data["confusion"].shape[1]
    result = measure(pairs, num_classes)
    np.testing.assert_array_equal(result.confusion, data["confusion"].sum(0))
    expected = data["iou_dataset"]
    present = result.confusion.sum(0) + result.confusion.sum(1) > 0
    np.testing.assert_allclose(result.per_class[present], expected[present])
    assert np.isnan(result.per_class[~present]).all()
    assert result.miou == pytest.approx(np.nanmean(expected))


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


def test_ignored_pixels_do_not_count_whatever_is_predicted_there():
    label, prediction = random_pair()
    wild = np.where(label == 255, 200, prediction)
    np.testing.assert_array_equal(
        measure([(label, prediction)], 4).confusion,
        measure([(label, wild)], 4).confusion,
    )


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


def test_result_is_not_changed_by_later_images():
    metric = MeanIoU(2)
    before = metric.result()
    metric.update(np.zeros((2, 2), int), np.zeros((2, 2), int))
    assert before.confusion.sum() == 0


ZEROS = np.zeros((3, 4), np.int32)


@pytest.mark.parametrize(
    "label, prediction, message",
    [
        (ZEROS, ZEROS[1:], r"label is \(3, 4\) but prediction is \(2, 4\)"),
        (ZEROS[None], ZEROS[None], r"label must be .* int32 \(1, 3, 4\)"),
        (ZEROS, ZEROS.astype(float), "prediction must be .* float64"),
        (ZEROS > 0, ZEROS, "label must be integers .* bool"),
        (ZEROS + 7, ZEROS, "label holds id 7, which is neither a class"),
        (ZEROS, ZEROS + 2, r"prediction holds id 2, .* \(0 to 1\)"),
        (ZEROS - 1, ZEROS, "label holds id -1"),
    ],
)
def test_bad_input_is_refused(label, prediction, message):
    with pytest.raises(UserError, match=message):
        MeanIoU(2).update(label, prediction)

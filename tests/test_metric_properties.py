"""What holds for every metric of label maps."""

import copy

import numpy as np
import pytest
from label_pairs import random_pair

from deepgbass.errors import UserError
from deepgbass.metrics.boundary_f1 import BoundaryF1
from deepgbass.metrics.boundary_iou import BoundaryIoU
from deepgbass.metrics.boundary_rule import CHOICES, Tolerance
from deepgbass.metrics.distance_bands import DistanceBands
from deepgbass.metrics.mean_iou import MeanIoU
from deepgbass.metrics.pair_confusion import PairConfusion

CLASSES = 4
PX = Tolerance(2, "px")


def f1(**rule):
    return lambda **options: BoundaryF1(CLASSES, (PX,), **rule, **options)


METRICS = {
    "MeanIoU": lambda **options: MeanIoU(CLASSES, **options),
    "BoundaryIoU": lambda **options: BoundaryIoU(CLASSES, **options),
    "DistanceBands": lambda **options: DistanceBands(CLASSES, **options),
    "PairConfusion": lambda **options: PairConfusion(CLASSES, PX, **options),
    "BoundaryF1": f1(),
    **{
        value: f1(**{name: value})
        for name in ("boundary", "matching", "absent", "average")
        for value in CHOICES[name][1:]
    },
    "exclusion": f1(exclusion=1.5),
}
every_metric = pytest.mark.parametrize("name", METRICS)


def all_but(name):
    return pytest.mark.parametrize("name", [n for n in METRICS if n != name])


def measure(name, pairs, **options):
    metric = METRICS[name](**options)
    for pair in pairs:
        metric.update(*pair)
    return numbers(metric.result())


def numbers(result):
    """What a metric says, as scores of all classes and of each."""
    if isinstance(result, tuple):
        (result,) = result
    if hasattr(result, "borders"):
        lengths = np.zeros((2, CLASSES, CLASSES))
        for border in result.borders:
            a, b = border.classes
            lengths[:, [a, b], [b, a]] = [[border.length], [border.met]]
        return np.sort(lengths.ravel()), np.sort(lengths, axis=1)
    for score in ("mbf", "biou", "miou"):
        if hasattr(result, score):
            return np.array(getattr(result, score)), result.per_class


def raw(result):
    """The counts that a result holds."""
    (part,) = result if isinstance(result, tuple) else (result,)
    fields = [f for f in ("counts", "confusion") if hasattr(part, f)]
    return [getattr(part, field) for field in fields]


def assert_same(got, expected):
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


PAIRS = [random_pair(seed=1), random_pair((24, 31), seed=2, ignore=0.2)]


@every_metric
def test_ignored_pixels_change_nothing(name):
    expected = measure(name, PAIRS)
    assert np.nanmin(expected[0]) < np.nanmax(expected[1])
    for wild in (0, 3, 77, -5):
        changed = [(a, np.where(a == 255, wild, b)) for a, b in PAIRS]
        assert_same(measure(name, changed), expected)
    other_id = [(np.where(a == 255, -1, a), b) for a, b in PAIRS]
    assert_same(measure(name, other_id, ignore_label=-1), expected)


@every_metric
def test_the_names_of_classes_do_not_matter(name):
    names = np.array([2, 0, 3, 1])
    renamed = [
        (np.where(a == 255, 255, names[a % 255]), names[b]) for a, b in PAIRS
    ]
    scores, per_class = measure(name, renamed)
    assert_same((scores, per_class[..., names]), measure(name, PAIRS))


# It looks right and down: mirrored, it is another rule.
@all_but("seg2bmap")
def test_flips_change_nothing(name):
    expected = measure(name, PAIRS)
    for axis in (0, 1):
        flipped = [tuple(np.flip(m, axis) for m in pair) for pair in PAIRS]
        assert_same(measure(name, flipped), expected)


@every_metric
def test_order_and_memory_layout_and_dtype_do_not_matter(name):
    expected = measure(name, PAIRS)
    assert_same(measure(name, PAIRS[::-1]), expected)
    other = [
        (np.asfortranarray(a.astype(np.uint8)), b.astype(np.int16))
        for a, b in PAIRS
    ]
    assert_same(measure(name, other), expected)


@every_metric
def test_adding_what_was_measured_is_updating(name):
    metric = METRICS[name]()
    measured = [metric.measure(*pair) for pair in PAIRS]
    nothing = METRICS[name]().result()
    np.testing.assert_equal(numbers(metric.result()), numbers(nothing))
    for counts in measured:
        metric.add(counts)
    assert_same(numbers(metric.result()), measure(name, PAIRS))


@every_metric
def test_reset_forgets_and_nothing_seen_is_nan_or_zero(name):
    metric = METRICS[name]()
    for _ in range(2):
        scores, per_class = numbers(metric.result())
        nothing = 0 if name == "PairConfusion" else np.nan
        np.testing.assert_array_equal(scores, np.full(scores.shape, nothing))
        for pair in PAIRS:
            metric.update(*pair)
        metric.reset()


# There, classes in neither map score 1.
@all_but("all1")
def test_an_image_without_a_valid_pixel_changes_nothing(name):
    void = np.full((9, 8), 255), np.zeros((9, 8), int)
    assert_same(measure(name, [*PAIRS, void]), measure(name, PAIRS))


@every_metric
def test_results_stay_when_images_are_added(name):
    metric = METRICS[name]()
    metric.update(*PAIRS[0])
    result = metric.result()
    before = copy.deepcopy(result)
    metric.update(*PAIRS[1])
    assert str(result) == str(before)
    assert_same(numbers(result), numbers(before))
    np.testing.assert_equal(raw(result), raw(before))


@all_but("PairConfusion")  # has no mean
def test_a_predicted_class_that_is_ignored_enters_no_mean(name):
    label, prediction = random_pair(ignore=0)
    scores, per_class = measure(name, [(label, prediction)], ignore_label=0)
    assert (prediction[label != 0] == 0).any()
    void = np.where(label == 0, 255, label)
    by_name = measure(name, [(void, prediction)], excluded=(0,))
    assert_same(by_name, (scores, per_class))
    assert_same(
        measure(name, [(label, prediction)], excluded=(0,)),
        (scores, per_class),
    )
    np.testing.assert_allclose(scores, np.nanmean(per_class[..., 1:], axis=-1))


ZEROS = np.zeros((3, 4), np.int32)


@every_metric
@pytest.mark.parametrize(
    "label, prediction, message",
    [
        (ZEROS, ZEROS[1:], r"label is \(3, 4\) but prediction is \(2, 4\)"),
        (ZEROS[None], ZEROS[None], r"label must be .* int32 \(1, 3, 4\)"),
        (ZEROS, ZEROS.astype(float), "prediction must be .* float64"),
        (ZEROS > 0, ZEROS, "label must be integers .* bool"),
        (ZEROS + 7, ZEROS, "label holds id 7, which is neither a class"),
        (ZEROS, ZEROS + 4, r"prediction holds id 4, .* \(0 to 3\)"),
        (ZEROS - 1, ZEROS, "label holds id -1, .* first at row 0, column 0"),
        (ZEROS[:0], ZEROS[:0], r"label is \(0, 4\): it has no pixel"),
    ],
)
def test_bad_input_is_refused(name, label, prediction, message):
    with pytest.raises(UserError, match=message):
        METRICS[name]().update(label, prediction)


@pytest.mark.parametrize("name", ["MeanIoU", "BoundaryF1", "BoundaryIoU"])
def test_a_class_to_exclude_must_be_one(name):
    with pytest.raises(UserError, match=r"excluded holds 4, .* \(0 to 3\)"):
        METRICS[name](excluded=(4,))
    with pytest.raises(UserError, match="num_classes is 0"):
        MeanIoU(0)

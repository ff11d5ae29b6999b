import json

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt

from deepgbass.errors import UserError
from deepgbass.metrics.boundary_f1 import (
    DEFAULT,
    BoundaryF1,
    Tolerance,
    boundary_counts,
    boundary_f1,
    f1_scores,
)

# The fixtures' variants with the conventions of `RULE`.
VARIANTS = {
    "edt_lt-0.0075": DEFAULT,
    **{f"edt_le-{px}": Tolerance(px, "px") for px in (1, 2, 3, 5, 9)},
}
TOLERANCES = (Tolerance(0.11), Tolerance(1, "px"), Tolerance(5, "px"))


def random_pair(shape=(20, 26), num_classes=4, seed=0, ignore=0.05):
    """Blocks of classes, and the same moved a little with some more noise."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(
        0, num_classes, (shape[0] // 4 + 1, shape[1] // 4 + 1)
    )
    whole = blocks.repeat(4, 0).repeat(4, 1)
    label = whole[: shape[0], : shape[1]].copy()
    prediction = whole[2 : shape[0] + 2, 1 : shape[1] + 1].copy()
    noise = rng.random(shape) < 0.03
    prediction[noise] = rng.integers(0, num_classes, noise.sum())
    label[rng.random(shape) < ignore] = 255
    return label, prediction


def brute_force(label, prediction, num_classes, tolerance):
    """Counts from an erosion and a distance map of every class mask."""
    counts = np.zeros((num_classes, 4), np.int64)
    theta = tolerance.value
    if tolerance.unit == "diagonal":
        theta = theta * np.hypot(*label.shape)
    cross = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    for c in range(num_classes):
        edges = []
        for ids in (prediction, label):
            mask = (ids == c) & (label != 255)
            edges.append(mask & ~binary_erosion(mask, cross, border_value=0))
        for side in (0, 1):
            counts[c, side] = edges[side].sum()
            if edges[1 - side].any():
                distance = distance_transform_edt(~edges[1 - side])
                distance = distance[edges[side]]
                strict = tolerance.unit == "diagonal"
                met = distance < theta if strict else distance <= theta
                counts[c, 2 + side] = met.sum()
    return counts


@pytest.mark.parametrize("name", ["camvid", "c32", "corner"])
def test_fixtures(shared, name):
    folder = shared / "fixtures/boundary_f1"
    data = np.load(folder / f"bf_{name}.npz")
    aggregates = json.loads((folder / "bf_aggregates.json").read_text())[name]
    metric = BoundaryF1(data["confusion"].shape[1], VARIANTS.values())
    for label, prediction in zip(data["gt"], data["pred"], strict=True):
        metric.update(label, prediction)
    for match, result in zip(VARIANTS, metric.result(), strict=True):
        variant = f"inner4-{match}-zero_both"
        key = variant.replace(".", "p")
        np.testing.assert_array_equal(result.counts, data[f"counts__{key}"])
        assert result.mbf == pytest.approx(aggregates[variant]["union/image"])
        if f"F_union__{key}" in data.files:
            expected = data[f"F_union__{key}"]
            scores = f1_scores(result.counts)
            np.testing.assert_allclose(scores, expected)
            present = ~np.isnan(expected).all(0)
            np.testing.assert_allclose(
                result.per_class[present], np.nanmean(expected[:, present], 0)
            )
            assert np.isnan(result.per_class[~present]).all()
        assert result.images == (result.counts.sum((1, 2)) > 0).sum()


@pytest.mark.parametrize("seed", range(4))
def test_counts_equal_brute_force(seed):
    label, prediction = random_pair(seed=seed)
    # 0.11 of 32.8 pixels is 3.6: unlike whole pixels, between two distances.
    counts = boundary_counts(label, prediction, 4, TOLERANCES, 255)
    for got, tolerance in zip(counts, TOLERANCES, strict=True):
        expected = brute_force(label, prediction, 4, tolerance)
        np.testing.assert_array_equal(got, expected)
        assert (expected[:, 2] < expected[:, 0]).any()
        assert expected[:, 2].any()


def test_ties_at_the_tolerance():
    # A diagonal of 40 pixels: 0.075 of it is 3.
    label = np.zeros((24, 32), int)
    label[8:12, 8:12] = 1
    moved = np.roll(label, 3, axis=1)

    def met(tolerance):
        return boundary_counts(label, moved, 2, [tolerance], 255)[0, 1, 3]

    assert met(Tolerance(3, "px")) == 12
    assert met(Tolerance(0.075)) < 12
    assert met(Tolerance(0.0751)) == 12
    assert met(Tolerance(2.99, "px")) == met(Tolerance(0.075))


def test_perfect_prediction_scores_one():
    label, _ = random_pair()
    result = boundary_f1(label, np.where(label == 255, 3, label), 4)
    assert result.mbf == 1
    np.testing.assert_array_equal(result.per_class, 1)


def test_missing_and_invented_classes_score_zero_and_absent_ones_nothing():
    label = np.zeros((12, 12), int)
    label[4:8, 4:8] = 1
    missed = boundary_f1(label, np.zeros_like(label), 4)
    assert missed.per_class[1] == 0
    invented = boundary_f1(np.zeros_like(label), label, 4)
    assert invented.per_class[1] == 0
    for result in (missed, invented):
        assert result.per_class[0] > 0
        assert np.isnan(result.per_class[2:]).all()
        assert result.mbf == pytest.approx(result.per_class[0] / 2)


def test_ignored_pixels_do_not_count_whatever_is_predicted_there():
    label, prediction = random_pair(ignore=0.2)
    wild = np.where(label == 255, 77, prediction)
    np.testing.assert_array_equal(
        boundary_f1(label, prediction, 4).counts,
        boundary_f1(label, wild, 4).counts,
    )


def test_classes_do_not_meet_each_other():
    label = np.zeros((10, 10), int)
    prediction = np.ones((10, 10), int)
    counts = boundary_f1(label, prediction, 2, Tolerance(50, "px")).counts
    np.testing.assert_array_equal(counts[0], [[0, 36, 0, 0], [36, 0, 0, 0]])


def test_images_have_equal_weight():
    pairs = [random_pair(seed=1), random_pair((40, 50), seed=2)]
    metric = BoundaryF1(4, TOLERANCES)
    for pair in pairs:
        metric.update(*pair)
    metric.update(np.full((6, 6), 255), np.zeros((6, 6), int))
    for result in metric.result():
        single = [boundary_f1(*p, 4, result.tolerance) for p in pairs]
        assert result.mbf == pytest.approx(np.mean([s.mbf for s in single]))
        np.testing.assert_allclose(
            result.per_class, np.mean([s.per_class for s in single], axis=0)
        )
        assert (result.images, len(result.counts)) == (2, 3)


def test_nothing_seen_is_nan_and_reset_forgets():
    metric = BoundaryF1(3)
    metric.update(np.zeros((5, 5), int), np.zeros((5, 5), int))
    assert [r.mbf for r in metric.result()] == [1, 1, 1]
    metric.reset()
    for _ in range(2):
        for result in metric.result():
            assert np.isnan(result.mbf)
            assert np.isnan(result.per_class).all()
            assert result.images == 0
        metric.update(np.full((5, 5), 255), np.zeros((5, 5), int))


def test_results_name_tolerance_and_rule():
    metric = BoundaryF1(2)
    metric.update(np.zeros((5, 5), int), np.zeros((5, 5), int))
    assert [str(r) for r in metric.result()] == [
        "mBF 0.75 % diag, union/image: 100.00 %",
        "mBF 3 px, union/image: 100.00 %",
        "mBF 1 px, union/image: 100.00 %",
    ]


def test_a_plain_number_is_a_fraction_of_the_diagonal():
    label, prediction = random_pair()
    plain = boundary_f1(label, prediction, 4, 0.11)
    assert plain.tolerance == Tolerance(0.11, "diagonal")
    with pytest.raises(UserError, match=r"give Tolerance\(3, 'px'\)"):
        boundary_f1(label, prediction, 4, 3)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((3, "cm"), "unit 'cm' must be 'diagonal' or 'px'"),
        ((0, "px"), "tolerance 0 must be above 0"),
        ((float("nan"), "px"), "tolerance nan"),
        ((-0.1,), "tolerance -0.1"),
    ],
)
def test_bad_tolerances_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        Tolerance(*arguments)


def test_bad_input_is_refused():
    zeros = np.zeros((5, 6), int)
    with pytest.raises(UserError, match="prediction holds id 3"):
        boundary_f1(zeros, zeros + 3, 3)
    with pytest.raises(UserError, match=r"label is \(5, 6\) but"):
        boundary_f1(zeros, zeros.T, 3)
    with pytest.raises(UserError, match="tolerances are empty"):
        BoundaryF1(3, ())

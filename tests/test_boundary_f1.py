import json

import numpy as np
import pytest
from label_pairs import random_pair
from scipy.ndimage import binary_erosion, distance_transform_edt

from deepgbass.errors import UserError
from deepgbass.metrics.boundary_counts import boundary_counts
from deepgbass.metrics.boundary_f1 import (
    BoundaryF1,
    boundary_f1,
    boundary_scores,
)
from deepgbass.metrics.boundary_rule import (
    CHOICES,
    DEFAULT,
    DEFAULT_RULE,
    BoundaryRule,
    Tolerance,
)

TOLERANCES = (Tolerance(0.11), Tolerance(1, "px"), Tolerance(5, "px"))
MATCHING = {
    "edt_lt": "nearest",
    "edt_le": "nearest",
    "cheb_le": "chessboard",
    "bipartite": "bipartite",
}


def parse(variant):
    """The options and the tolerance that a fixture's variant stands for."""
    boundary, match, theta, ignored = variant.split("-")
    value = float(theta.removesuffix("c"))
    options = {"boundary": boundary, "matching": MATCHING[match]}
    if ignored == "none":
        options["ignored"] = "kept"
    elif ignored.startswith("exclude"):
        options["exclusion"] = float(ignored.removeprefix("exclude"))
    tolerance = Tolerance(
        value,
        "px" if value >= 1 else "diagonal",
        round_up=theta.endswith("c"),
        strict=match == "edt_lt",
    )
    return options, tolerance


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
    variants = [v for v in aggregates if isinstance(aggregates[v], dict)]
    assert len(variants) == 24
    for variant in variants:
        options, tolerance = parse(variant)
        expected = aggregates[variant]
        assert tolerance.pixels(data["gt"].shape[1:]) == expected["theta"]
        num_classes = data["confusion"].shape[1]
        pairs = zip(data["gt"], data["pred"], strict=True)
        counts = [
            boundary_counts(
                *pair, num_classes, [tolerance], rule=BoundaryRule(**options)
            )
            for pair in pairs
        ]
        key = variant.replace(".", "p")
        np.testing.assert_array_equal(
            np.concatenate(counts), data[f"counts__{key}"]
        )
        for absent in CHOICES["absent"]:
            for average in CHOICES["average"]:
                metric = BoundaryF1(
                    num_classes,
                    [tolerance],
                    absent=absent,
                    average=average,
                    **options,
                )
                for one in counts:
                    metric.add(one)
                (result,) = metric.result()
                if average != "pooled":
                    mbf = expected[f"{absent}/{average}"]
                elif absent == "union":
                    mbf = expected["pooled"]
                else:
                    continue
                assert result.mbf == pytest.approx(mbf, rel=0, abs=1e-12)
                assert result.rule == BoundaryRule(
                    absent=absent, average=average, **options
                )
            if f"F_{absent}__{key}" in data.files:
                scores = boundary_scores(np.concatenate(counts), absent)
                for letter, score in zip("PRF", scores, strict=True):
                    np.testing.assert_allclose(
                        score,
                        data[f"{letter}_{absent}__{key}"],
                        rtol=0,
                        atol=1e-12,
                    )
    scored = [key for key in data.files if key.startswith("F_")]
    assert len(scored) == 12


def test_defaults_are_the_recommended_variant():
    options, tolerance = parse("inner4-edt_lt-0.0075-zero_both")
    assert tolerance == DEFAULT
    assert BoundaryRule(**options) == DEFAULT_RULE
    assert (DEFAULT_RULE.absent, DEFAULT_RULE.average) == ("union", "image")


@pytest.mark.parametrize("seed", range(4))
def test_counts_equal_brute_force(seed):
    label, prediction = random_pair(seed=seed)
    # 0.11 of 32.8 pixels is 3.6: unlike whole pixels, between two distances.
    counts = boundary_counts(label, prediction, 4, TOLERANCES)
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
        return boundary_counts(label, moved, 2, [tolerance])[0, 1, 3]

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


def test_results_name_tolerance_and_rule():
    zeros = np.zeros((5, 5), int)
    metric = BoundaryF1(2)
    metric.update(zeros, zeros)
    assert [str(r) for r in metric.result()] == [
        f"mBF 100.00 % (inner4, nearest {bound}, union/image, ignore cleared)"
        for bound in ("< 0.75 % diag", "<= 3 px", "<= 1 px")
    ]


def test_every_field_of_the_rule_is_named():
    tolerance = Tolerance(0.008, round_up=True)
    zeros = np.zeros((5, 5), int)
    result = boundary_f1(
        zeros,
        zeros,
        2,
        tolerance,
        boundary="seg2bmap",
        absent="all1",
        average="class",
        ignored="kept",
        exclusion=1.5,
    )
    assert result.description == (
        "seg2bmap, nearest <= 0.8 % diag rounded up, all1/class, ignore kept, "
        "1.5 px around it excluded"
    )


def test_a_plain_number_is_a_fraction_of_the_diagonal():
    label, prediction = random_pair()
    plain = boundary_f1(label, prediction, 4, 0.11)
    assert plain.tolerance == Tolerance(0.11, "diagonal")
    assert BoundaryF1(4, (0.11,)).result()[0].tolerance == plain.tolerance
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


@pytest.mark.parametrize("name", CHOICES)
def test_unknown_rules_are_refused(name):
    with pytest.raises(UserError, match=f"{name} is 'x'; it must be one of"):
        BoundaryF1(3, **{name: "x"})


def test_rules_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="tolerances are empty"):
        BoundaryF1(3, ())
    with pytest.raises(UserError, match="exclusion is -1"):
        BoundaryF1(3, exclusion=-1)
    with pytest.raises(UserError, match="exclusion needs another matching"):
        BoundaryF1(3, exclusion=1, matching="bipartite")


def test_bipartite_matching_refuses_large_images():
    zeros = np.zeros((513, 512), np.uint8)
    metric = BoundaryF1(1, matching="bipartite")
    metric.update(zeros[:512], zeros[:512])
    with pytest.raises(UserError, match=r"up to 262144 pixels .* \(513, 512\)"):
        metric.update(zeros, zeros)


def test_bipartite_matching_refuses_too_many_pairs():
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 2, (2, 300, 300))
    metric = BoundaryF1(2, [Tolerance(40, "px")], matching="bipartite")
    with pytest.raises(UserError, match="pairs of pixels within 40 px"):
        metric.update(*maps)


def test_a_tolerance_beyond_the_image_meets_all_of_the_class():
    label, prediction = random_pair()
    for matching in CHOICES["matching"][:2]:
        far = Tolerance(1e200, "px")
        result = boundary_f1(label, prediction, 4, far, matching=matching)
        assert result.mbf == 1
    classes = np.where(label == 255, 255, 0), np.ones_like(prediction)
    assert boundary_f1(*classes, 2, Tolerance(1e200, "px")).mbf == 0


def test_kept_predictions_count_inside_ignored_pixels():
    label = np.zeros((12, 12), int)
    label[4:8, 4:8] = 255
    prediction = np.where(label == 255, 1, 0)
    assert boundary_f1(label, prediction, 2).mbf == 1
    kept = boundary_f1(label, prediction, 2, ignored="kept").counts[0]
    np.testing.assert_array_equal(kept[1], [12, 0, 0, 0])
    wild = np.where(label == 255, 99, 0)
    wild = boundary_f1(label, wild, 2, ignored="kept").counts[0]
    np.testing.assert_array_equal(wild, [kept[0], [0, 0, 0, 0]])

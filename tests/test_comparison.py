"""The paired bootstrap, against loops over images and known distributions."""

import numpy as np
import pytest
from label_pairs import random_pair
from scipy.stats import binom

from deepgbass.errors import UserError
from deepgbass.evaluation import comparison
from deepgbass.evaluation.comparison import Measured, compare, measured, scores
from deepgbass.metrics.boundary_f1 import BoundaryF1
from deepgbass.metrics.mean_iou import MeanIoU

CLASSES, NAMES = 5, ("mbf", "mbf_3px", "mbf_1px")
IMAGES = [
    [random_pair((20, 27), seed=2 * number + one) for number in range(7)]
    for one in (0, 1)
]


def new_metrics(excluded=()):
    return MeanIoU(CLASSES, excluded=excluded), BoundaryF1(
        CLASSES, excluded=excluded
    )


def of_images(pairs, excluded=()):
    iou, boundary = new_metrics(excluded)
    return measured(
        [iou.measure(*pair) for pair in pairs],
        [boundary.measure(*pair) for pair in pairs],
        NAMES,
        excluded,
    )


def by_loop(pairs, chosen, excluded):
    """mIoU and mBF of images, by the metrics themselves."""
    metrics = new_metrics(excluded)
    for index in chosen:
        for metric in metrics:
            metric.update(*pairs[index])
    iou, boundary = (metric.result() for metric in metrics)
    return [iou.miou, *(result.mbf for result in boundary)]


@pytest.mark.parametrize("excluded", [(), (3,), (0, 4)])
def test_draws_equal_a_loop_over_their_images(excluded):
    rng = np.random.default_rng(1)
    draws = rng.integers(7, size=(6, 7))
    weights = np.array([np.bincount(row, minlength=7) for row in draws], float)
    for pairs in IMAGES:
        found = of_images(pairs, excluded)
        values = [scores(found, name, weights) for name in ("miou", *NAMES)]
        expected = [by_loop(pairs, row, excluded) for row in draws]
        np.testing.assert_allclose(np.transpose(values), expected, rtol=1e-12)


def test_the_interval_is_that_of_a_slow_bootstrap():
    a, b = map(of_images, IMAGES)
    rng = np.random.default_rng(3)
    drawn = [
        np.subtract(
            by_loop(IMAGES[1], chosen, ()), by_loop(IMAGES[0], chosen, ())
        )
        for chosen in rng.integers(7, size=(60, 7))
    ]
    expected = np.percentile(drawn, [2.5, 97.5], axis=0).T
    found = compare(a, b, resamples=60, seed=3)
    np.testing.assert_allclose([[d.low, d.high] for d in found], expected)
    for difference, first, second in zip(
        found,
        by_loop(IMAGES[0], range(7), ()),
        by_loop(IMAGES[1], range(7), ()),
        strict=True,
    ):
        assert difference.a == pytest.approx(first, rel=1e-12)
        assert difference.b == pytest.approx(second, rel=1e-12)


def test_wins_are_counted_image_by_image():
    found = compare(*map(of_images, IMAGES), resamples=10)
    every = [
        [by_loop(pairs, [index], ()) for index in range(7)] for pairs in IMAGES
    ]
    gains = np.subtract(every[1], every[0])
    assert [d.wins_a for d in found] == list((gains < 0).sum(0))
    assert [d.wins_b for d in found] == list((gains > 0).sum(0))
    assert all(d.wins_a + d.wins_b + d.ties == 7 for d in found)


def of_values(values):
    """Networks of which only the boundary F1 of each image matters."""
    ones = np.ones((len(values), 1))
    return Measured(ones, ones, {"mbf": np.asarray(values, float)})


def test_ends_are_percentiles_of_a_known_distribution():
    # b is better by 1 at 12 of 60 images: a draw's gain is binomial.
    images, gains = 60, np.repeat([1.0, 0.0], [12, 48])
    found = compare(of_values(0 * gains), of_values(gains), resamples=20_000)[1]
    spread = binom(images, 12 / images)
    for end, share in ((found.low, 0.025), (found.high, 0.975)):
        # The next value to either side, as 20,000 draws are not all.
        assert abs(end * images - spread.ppf(share)) <= 1
    assert found.is_beyond_chance
    assert (found.wins_a, found.wins_b, found.ties) == (0, 12, 48)


def test_many_images_give_the_normal_interval():
    gains = np.random.default_rng(0).normal(0.02, 0.1, 400)
    found = compare(of_values(0 * gains), of_values(gains))[1]
    error = 1.96 * gains.std() / 20
    assert found.low == pytest.approx(gains.mean() - error, abs=0.001)
    assert found.high == pytest.approx(gains.mean() + error, abs=0.001)


def test_the_same_network_is_no_better_than_itself():
    a = of_images(IMAGES[0])
    for found in compare(a, a, resamples=50):
        assert (found.low, found.high, found.ties) == (0, 0, 7)
        assert not found.is_beyond_chance


def test_the_pairing_narrows_the_interval():
    # Images differ far more from one another than the networks do.
    level = np.random.default_rng(0).random(100)
    a, b = of_values(level), of_values(level + 0.01)
    found = compare(a, b)[1]
    assert found.low == pytest.approx(0.01) == found.high
    assert found.is_beyond_chance


def test_the_seed_decides_and_blocks_do_not(monkeypatch):
    a, b = map(of_images, IMAGES)
    found = compare(a, b, resamples=40)
    assert found == compare(a, b, resamples=40)
    assert found != compare(a, b, resamples=40, seed=1)
    monkeypatch.setattr(comparison, "_BLOCK", 7)
    for one, other in zip(found, compare(a, b, resamples=40), strict=True):
        assert one.low == pytest.approx(other.low, abs=1e-12)


def test_images_that_count_nowhere_are_left_out():
    gains = np.array([0.25, np.nan, 0.75])
    found = compare(of_values(0 * gains), of_values(gains), resamples=200)[1]
    assert found.difference == 0.5
    assert (found.wins_a, found.wins_b, found.ties) == (0, 2, 0)
    never = of_values([np.nan, np.nan])
    assert np.isnan(compare(never, never, resamples=9)[1].low)


def test_too_few_or_other_images_are_refused():
    with pytest.raises(UserError, match="2 images or more, not 1"):
        compare(of_values([1]), of_values([0]))
    with pytest.raises(UserError, match="2 images, the other on 3"):
        compare(of_values([1, 1]), of_values([0, 1, 1]))

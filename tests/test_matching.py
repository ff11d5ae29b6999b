import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from deepgbass.metrics import matching
from deepgbass.metrics.boundary_rule import Tolerance
from deepgbass.metrics.matching import bipartite_matches, squared_distances

SHAPE = (17, 23)


def random_points(seed, count, classes=3, one_a_pixel=True):
    """Classes and places; in order and distinct, or neither."""
    rng = np.random.default_rng(seed)
    if one_a_pixel:
        places = np.sort(rng.choice(np.prod(SHAPE), count, replace=False))
        return rng.integers(0, classes, count), places
    codes = rng.choice(classes * np.prod(SHAPE), count, replace=False)
    return np.divmod(np.sort(codes), np.prod(SHAPE))


def all_offsets(points, others):
    """Offsets of every point to every other; far if of another class."""
    (a, b), (c, d) = points, others
    offsets = np.stack(
        [
            one[:, None] - other
            for one, other in zip(
                np.divmod(b, SHAPE[1]), np.divmod(d, SHAPE[1]), strict=True
            )
        ]
    )
    return np.where(a[:, None] == c, np.abs(offsets), 10**6)


@pytest.mark.parametrize("reach", [1, 2.5, 3, 4.2, 9, 99])
@pytest.mark.parametrize("chessboard", [False, True])
@pytest.mark.parametrize("one_a_pixel", [False, True])
@pytest.mark.parametrize("count", [4, 60])
def test_distances_equal_all_pairs(reach, chessboard, one_a_pixel, count):
    points = random_points(1, count, one_a_pixel=one_a_pixel)
    others = random_points(2, count, one_a_pixel=one_a_pixel)
    got = squared_distances(points, others, SHAPE, reach, chessboard)
    squares = all_offsets(points, others) ** 2
    whole = squares.max(0) if chessboard else squares.sum(0)
    expected = whole.min(axis=1)
    within = expected <= reach**2
    assert within.any() or count == 4
    np.testing.assert_array_equal(got[within], expected[within])
    assert (got[~within] > reach**2).all()


@pytest.mark.parametrize("reach", [1, 4, 4.2, 6, 9])
def test_looking_and_searching_agree(monkeypatch, reach):
    points, others = random_points(1, 40), random_points(2, 15)
    found = []
    for near in (0, 1, 3, 9):
        monkeypatch.setattr(matching, "_NEAR", near)
        squared = squared_distances(points, others, SHAPE, reach)
        found.append(np.where(squared <= reach**2, squared, np.inf))
        np.testing.assert_array_equal(found[-1], found[0])
    assert np.isfinite(found[0]).any()


def test_no_points_have_no_distance():
    some = random_points(1, 9)
    none = some[0][:0], some[1][:0]
    assert np.isinf(squared_distances(some, none, SHAPE, 5)).all()
    assert squared_distances(none, some, SHAPE, 5).shape == (0,)
    for pair in ((some, none), (none, some), (none, none)):
        matches = bipartite_matches(*pair, SHAPE, Tolerance(5, "px"))
        assert [m.sum() for m in matches] == [0, 0]
        assert [len(m) for m in matches] == [len(p[0]) for p in pair]


@pytest.mark.parametrize("px", [1, 2, 4.5])
@pytest.mark.parametrize("seed", range(3))
def test_bipartite_matching_is_a_largest_assignment(px, seed):
    points, others = random_points(seed, 70), random_points(seed + 9, 50)
    tolerance = Tolerance(px, "px")
    near = (all_offsets(points, others) ** 2).sum(0) <= px**2
    rows, columns = linear_sum_assignment(near, maximize=True)
    expected = near[rows, columns].sum()
    matched = bipartite_matches(points, others, SHAPE, tolerance)
    assert matched[0].sum() == matched[1].sum() == expected
    assert expected < near.any(axis=1).sum()
    assert near[matched[0]][:, matched[1]].any(axis=1).all()

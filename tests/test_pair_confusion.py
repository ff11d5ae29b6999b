import collections

import numpy as np
import pytest
from label_pairs import random_pair

from deepgbass.metrics.boundary_rule import Tolerance
from deepgbass.metrics.pair_confusion import PairConfusion

TOLERANCES = [Tolerance(0.07), *(Tolerance(px, "px") for px in (0.9, 1, 3))]


def sides(ids, valid):
    """(classes, row and column of the middle, place of each class's pixel)."""
    for row, column in np.ndindex(ids.shape):
        for y, x in ((row + 1, column), (row, column + 1)):
            inside = y < ids.shape[0] and x < ids.shape[1]
            if not (inside and valid[row, column] and valid[y, x]):
                continue
            ends = sorted(
                [(ids[row, column], (row, column)), (ids[y, x], (y, x))]
            )
            if ends[0][0] != ends[1][0]:
                middle = (row + y) / 2, (column + x) / 2
                yield (ends[0][0], ends[1][0]), middle, (ends[0][1], ends[1][1])


def brute_force(label, prediction, tolerance):
    """Lengths, met lengths, and what is predicted instead, side by side."""
    valid = label != 255
    theta = tolerance.pixels(label.shape)
    predicted = collections.defaultdict(list)
    for pair, middle, _ in sides(prediction, valid):
        predicted[pair].append(middle)
    length, met = collections.Counter(), collections.Counter()
    instead = collections.defaultdict(collections.Counter)
    for pair, middle, places in sides(label, valid):
        length[pair] += 1
        others = np.array(predicted[pair]).reshape(-1, 2)
        distance = np.hypot(*(others - middle).T)
        near = distance < theta if tolerance.strict else distance <= theta
        if near.any():
            met[pair] += 1
        else:
            instead[pair][tuple(prediction[place] for place in places)] += 1
    return length, met, instead


@pytest.mark.parametrize("tolerance", TOLERANCES, ids=str)
@pytest.mark.parametrize("shape", [(20, 26), (1, 40), (40, 1)])
def test_equals_side_by_side(tolerance, shape):
    label, prediction = random_pair(shape, ignore=0.1)
    metric = PairConfusion(4, tolerance)
    metric.update(label, prediction)
    result = metric.result()
    length, met, instead = brute_force(label, prediction, tolerance)
    assert {b.classes: b.length for b in result.borders} == length
    for border in result.borders:
        assert border.met == met[border.classes]
        assert dict(border.instead) == instead[border.classes]
        lengths = [n for _, n in border.instead]
        assert lengths == sorted(lengths, reverse=True)
        assert border.lost == sum(lengths)
    lost = [b.lost for b in result.borders]
    assert lost == sorted(lost, reverse=True)
    assert lost[0] > 0 or shape != (20, 26)


def test_images_are_summed():
    pairs = [random_pair(seed=seed) for seed in range(2)]
    metric, lengths = PairConfusion(4), collections.Counter()
    for pair in pairs:
        metric.update(*pair)
        single = PairConfusion(4)
        single.update(*pair)
        for border in single.result().borders:
            lengths[border.classes] += border.length
    assert lengths == {b.classes: b.length for b in metric.result().borders}


def test_a_border_is_met_by_the_same_two_classes_alone():
    label = np.zeros((4, 8), int)
    label[:, 4:] = 1
    metric = PairConfusion(3)
    metric.update(label, label * 2)
    (border,) = metric.result().borders
    assert (border.classes, border.length, border.met) == ((0, 1), 4, 0)
    assert border.instead == (((0, 2), 4),)
    assert border.recall == 0
    metric.update(label, label)
    assert metric.result().borders[0].recall == 0.5


def test_the_order_of_what_is_predicted_is_that_of_the_classes():
    label = np.ones((4, 8), int)
    label[:, 4:] = 0
    metric = PairConfusion(3)
    metric.update(label, np.where(label == 1, 2, 1))
    assert metric.result().borders[0].instead == (((1, 2), 4),)


def test_the_table_is_short_and_names_classes_and_tolerance():
    label, prediction = random_pair()
    metric = PairConfusion(4)
    metric.update(label, prediction)
    result = metric.result()
    lines = result.table(["sky", "road", "car", "tree"], rows=2).splitlines()
    assert len(lines) == 3
    worst = result.borders[0]
    names = np.array(["sky", "road", "car", "tree"])
    words = [
        " | ".join(names[list(pair)])
        for pair in (worst.classes, worst.instead[0][0])
    ]
    assert lines[1].split()[0] == str(worst.length)
    assert lines[1].endswith(f"{worst.lost}  {words[0]}, mostly {words[1]}")
    assert "< 0.75 % diag" in str(result)
    assert PairConfusion(4).result().table().split()[-1] == "border"

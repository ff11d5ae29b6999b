"""Boundary pixels of an image's classes, and how many of them are met."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from deepgbass.metrics.boundaries import boundary_points
from deepgbass.metrics.boundary_rule import DEFAULT_RULE
from deepgbass.metrics.label_maps import check_pair, cleared
from deepgbass.metrics.matching import bipartite_matches, squared_distances


def boundary_counts(
    label,
    prediction,
    num_classes,
    tolerances,
    ignore_label=255,
    rule=DEFAULT_RULE,
    excluded=(),
):
    """Boundary pixels of each class, and how many of them are met.

    Args:
        label: integers `(height, width)`, ids or the ignore label.
        prediction: integers `(height, width)`, ids; anything where the label
            is ignored.
        num_classes: ids run from 0 to `num_classes - 1`.
        tolerances: sequence of `Tolerance`.
        ignore_label: pixels with this label are ignored.
        rule: `BoundaryRule`, of which `absent` and `average` do not matter.
        excluded: ids of classes whose pixels are ignored as well.

    Returns:
        int64 `(tolerances, num_classes, 4)`: boundary pixels of the
        prediction, of the truth, met ones of the prediction, of the truth.

    Raises:
        UserError: shapes, dtypes or ids are not as above, or the image is
            too large for the rule's matching.
    """
    label, prediction, valid = check_pair(
        label, prediction, num_classes, ignore_label, excluded
    )
    kept = valid
    if rule.ignored == "kept":
        kept = (prediction >= 0) & (prediction < num_classes)
    maps = cleared(prediction, kept), cleared(label, valid)
    sides = [boundary_points(ids, rule.boundary) for ids in maps]
    scored = [np.ones(len(classes), bool) for classes, _ in sides]
    if rule.exclusion and not valid.all():
        free = distance_transform_edt(valid).ravel() > rule.exclusion
        scored = [free[positions] for _, positions in sides]
    counts = np.zeros((len(tolerances), num_classes, 4), np.int64)

    def tally(side, among):
        return np.bincount(sides[side][0][among], minlength=num_classes)

    for side in (0, 1):
        counts[:, :, side] = tally(side, scored[side])
    for i, met in enumerate(_met(sides, label.shape, tolerances, rule)):
        for side in (0, 1):
            counts[i, :, 2 + side] = tally(side, scored[side] & met[side])
    return counts


def _met(sides, shape, tolerances, rule):
    """For each tolerance, which points of both sides are met."""
    if rule.matching == "bipartite":
        return [bipartite_matches(*sides, shape, t) for t in tolerances]
    reach = max(t.pixels(shape) for t in tolerances)
    chessboard = rule.matching == "chessboard"
    squared = [
        squared_distances(*pair, shape, reach, chessboard)
        for pair in (sides, sides[::-1])
    ]
    return [[t.meets(s, shape) for s in squared] for t in tolerances]

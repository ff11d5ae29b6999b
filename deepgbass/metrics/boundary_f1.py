"""Mean boundary F1 (mBF): how well class boundaries are met.

After Csurka et al. 2013: for every class of an image, precision and recall of
its boundary pixels within a tolerance; F1 is averaged over the classes of an
image, then over images. What the sources leave open is decided here and named
in every result (`RULE`):

* A class's boundary is its pixels with a 4-neighbour outside of the class;
  outside the image is outside of every class.
* "union": a class counts in an image if it is in the truth or the prediction,
  with F1 0 if it is in one alone.
* "image": images have equal weight; those without a valid pixel have none.
* Pixels whose label is ignored are cleared from both maps first.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from deepgbass.errors import UserError
from deepgbass.metrics.mean_iou import check_pair

RULE = "union/image"


@dataclass(frozen=True)
class Tolerance:
    """The greatest distance at which two boundary pixels meet.

    Attributes:
        value: fraction of the image's diagonal, or pixels.
        unit: "diagonal": distances below `value` times the diagonal in
            pixels meet (not rounded); "px": distances up to `value`.

    Raises:
        UserError: another unit, or a value out of range.
    """

    value: float
    unit: str = "diagonal"

    def __post_init__(self):
        if self.unit not in ("diagonal", "px"):
            raise UserError(
                f"tolerance unit {self.unit!r} must be 'diagonal' or 'px'"
            )
        if not 0 < self.value < math.inf:
            raise UserError(f"tolerance {self.value!r} must be above 0")
        if self.unit == "diagonal" and self.value >= 1:
            raise UserError(
                f"tolerance {self.value!r} must be a fraction of the diagonal "
                f"below 1; for pixels give Tolerance({self.value!r}, 'px')"
            )

    def __str__(self):
        if self.unit == "px":
            return f"{self.value:g} px"
        return f"{100 * self.value:g} % diag"

    def pixels(self, shape):
        """The tolerance in pixels for images `(height, width)`."""
        return self.value * (math.hypot(*shape) if self.unit != "px" else 1)

    def meets(self, squared_distances, shape):
        """Which squared pixel distances (integers, exact) are within it."""
        if self.unit == "px":
            return squared_distances <= self.value**2
        return squared_distances < self.pixels(shape) ** 2


DEFAULT = Tolerance(0.0075)
DEFAULTS = (DEFAULT, Tolerance(3, "px"), Tolerance(1, "px"))


@dataclass(frozen=True)
class BoundaryF1Result:
    """What was measured at one tolerance; shares lie in 0..1.

    Attributes:
        mbf: the mean boundary F1; NaN if no image had a valid pixel.
        per_class: float `(num_classes,)`: mean F1 of each class over the
            images in which it counts; NaN where it never does.
        tolerance: `Tolerance`.
        rule: how classes and images were averaged: see `RULE`.
        images: number of images that count.
        counts: int64 `(all images, num_classes, 4)`: boundary pixels of the
            prediction, of the truth, met ones of the prediction, of the
            truth.
    """

    mbf: float
    per_class: np.ndarray
    tolerance: Tolerance
    rule: str
    images: int
    counts: np.ndarray

    def __str__(self):
        return f"mBF {self.tolerance}, {self.rule}: {100 * self.mbf:.2f} %"


class BoundaryF1:
    """Streaming mBF at several tolerances at once.

    Args:
        num_classes: ids run from 0 to `num_classes - 1`.
        tolerances: sequence of `Tolerance`.
        ignore_label: pixels with this label belong to no class, in truth and
            prediction alike.

    Raises:
        UserError: there is no tolerance.
    """

    def __init__(self, num_classes, tolerances=DEFAULTS, ignore_label=255):
        self.num_classes = num_classes
        self.tolerances = tuple(tolerances)
        self.ignore_label = ignore_label
        if not self.tolerances:
            raise UserError("tolerances are empty; give at least one Tolerance")
        self.reset()

    def reset(self):
        """Forgets all images."""
        self._counts = []

    def update(self, label, prediction):
        """Adds one image.

        Args:
            label: integers `(height, width)`, ids or the ignore label.
            prediction: integers `(height, width)`, ids; anything where the
                label is ignored.

        Raises:
            UserError: shapes, dtypes or ids are not as above.
        """
        self._counts.append(
            boundary_counts(
                label,
                prediction,
                self.num_classes,
                self.tolerances,
                self.ignore_label,
            )
        )

    def result(self):
        """Returns a tuple of `BoundaryF1Result`, one a tolerance."""
        shape = (-1, len(self.tolerances), self.num_classes, 4)
        counts = np.array(self._counts, np.int64).reshape(shape)
        return tuple(
            _result(tolerance, counts[:, i])
            for i, tolerance in enumerate(self.tolerances)
        )


def boundary_f1(
    label, prediction, num_classes, tolerance=DEFAULT, ignore_label=255
):
    """Boundary F1 of one image.

    Args:
        label: integers `(height, width)`, ids or the ignore label.
        prediction: integers `(height, width)`, ids; anything where the label
            is ignored.
        num_classes: ids run from 0 to `num_classes - 1`.
        tolerance: `Tolerance`, or a number: a fraction of the diagonal.
        ignore_label: pixels with this label are cleared from both maps.

    Returns:
        `BoundaryF1Result`.

    Raises:
        UserError: shapes, dtypes or ids are not as above.
    """
    if not isinstance(tolerance, Tolerance):
        tolerance = Tolerance(tolerance)
    metric = BoundaryF1(num_classes, (tolerance,), ignore_label)
    metric.update(label, prediction)
    return metric.result()[0]


def boundary_counts(label, prediction, num_classes, tolerances, ignore_label):
    """Boundary pixels of each class, and how many of them are met.

    Args: as `BoundaryF1` and its `update`.

    Returns:
        int64 `(tolerances, num_classes, 4)`: boundary pixels of the
        prediction, of the truth, met ones of the prediction, of the truth.
    """
    label, prediction, valid = check_pair(
        label, prediction, num_classes, ignore_label
    )
    reach = max(t.pixels(label.shape) for t in tolerances)
    # One search serves all classes if each lies far beside the one before.
    stride = label.shape[1] + math.ceil(reach) + 2
    classes, points = [], []
    for ids in (prediction, label):
        # An id of its own takes ignored pixels out of all classes.
        ids = np.where(valid, ids.astype(np.int32), -1)
        flat = np.flatnonzero(boundary_pixels(ids) & valid)
        rows, columns = np.divmod(flat, label.shape[1])
        own = ids.ravel()[flat].astype(np.int64)
        classes.append(own)
        points.append(np.stack([rows, columns + own * stride], axis=1))
    counts = np.zeros((len(tolerances), num_classes, 4), np.int64)
    for side in (0, 1):
        squared = _squared_distances(points[side], points[1 - side], reach)
        counts[:, :, side] = np.bincount(classes[side], minlength=num_classes)
        for i, tolerance in enumerate(tolerances):
            met = classes[side][tolerance.meets(squared, label.shape)]
            counts[i, :, 2 + side] = np.bincount(met, minlength=num_classes)
    return counts


def f1_scores(counts):
    """F1 from counts `(..., 4)`; NaN for a class in neither map."""
    predicted, true, precise, recalled = np.moveaxis(
        counts.astype(np.float64), -1, 0
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = precise / predicted, recalled / true
        f1 = 2 * precision * recall / (precision + recall)
    return np.where((predicted > 0) | (true > 0), np.nan_to_num(f1), np.nan)


def boundary_pixels(label):
    """Where a pixel's class differs from that of a 4-neighbour.

    The union of all classes' inner boundaries: a class mask minus its erosion
    by a cross. Outside the image is no class, so its frame is a boundary.

    Args:
        label: integers `(height, width)`.

    Returns:
        bool `(height, width)`.
    """
    boundary = np.zeros(label.shape, bool)
    boundary[[0, -1], :] = boundary[:, [0, -1]] = True
    rows, columns = label[1:] != label[:-1], label[:, 1:] != label[:, :-1]
    boundary[1:] |= rows
    boundary[:-1] |= rows
    boundary[:, 1:] |= columns
    boundary[:, :-1] |= columns
    return boundary


def _squared_distances(points, others, reach):
    """Squared distance to the nearest of `others`; infinity beyond reach."""
    squared = np.full(len(points), np.inf)
    if len(points) and len(others):
        # Splitting at the middle, not the median, builds as good a tree here.
        tree = cKDTree(others, balanced_tree=False)
        # A little over, since the tree's bound is strict and rounded.
        _, nearest = tree.query(points, distance_upper_bound=reach + 1)
        found = nearest < len(others)
        # From integer coordinates: at a tolerance in pixels, ties are exact.
        offsets = points[found] - others[nearest[found]]
        squared[found] = (offsets**2).sum(axis=1)
    return squared


def _result(tolerance, counts):
    scores = f1_scores(counts)
    counted = ~np.isnan(scores)
    images, classes = counted.any(axis=1), counted.any(axis=0)
    per_class = np.full(scores.shape[1], np.nan)
    per_class[classes] = np.nanmean(scores[:, classes], axis=0)
    mbf = np.nanmean(scores[images], axis=1).mean() if images.any() else np.nan
    return BoundaryF1Result(
        mbf=float(mbf),
        per_class=per_class,
        tolerance=tolerance,
        rule=RULE,
        images=int(images.sum()),
        counts=counts,
    )

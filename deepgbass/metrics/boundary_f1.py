"""Mean boundary F1 (mBF): how well class boundaries are met.

After Csurka et al. 2013: for every class of an image, precision and recall of
its boundary pixels within a tolerance; F1 is averaged over the classes of an
image, then over images. What the sources leave open is decided here and said
in every result: see `RULE`.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from deepgbass.errors import UserError
from deepgbass.metrics.mean_iou import check_pair

# Inner boundaries; a class counts if it is in truth or prediction, with F1 0
# if it is in one alone; images are averaged with equal weight; pixels whose
# label is ignored are cleared from both maps.
RULE = "inner 4-connected boundary, classes in truth or prediction, per image"


@dataclass(frozen=True)
class Tolerance:
    """The greatest distance at which two boundary pixels meet.

    Attributes:
        value: fraction of the image's diagonal, or pixels.
        unit: "diagonal": distances below `value * diagonal` meet (not
            rounded; the diagonal in pixels); "px": distances up to `value`.
    """

    value: float
    unit: str = "diagonal"

    def __post_init__(self):
        if self.unit not in ("diagonal", "px"):
            raise UserError(
                f"tolerance unit {self.unit!r} must be 'diagonal' or 'px'"
            )
        if not (math.isfinite(self.value) and self.value > 0):
            raise UserError(f"tolerance {self.value!r} must be above 0")

    def __str__(self):
        if self.unit == "px":
            return f"{self.value:g} px"
        return f"{100 * self.value:g} % of the diagonal"

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
        tolerance: `Tolerance`.
        rule: the conventions, in words.
        mbf: the mean boundary F1; NaN if no image had a valid pixel.
        per_class: float `(num_classes,)`: mean F1 of each class over the
            images in which it counts; NaN where it never does.
        images: number of images that count.
    """

    tolerance: Tolerance
    mbf: float
    per_class: np.ndarray
    images: int
    rule: str = RULE

    def __str__(self):
        return f"mBF {100 * self.mbf:.2f} % ({self.tolerance}; {self.rule})"


class BoundaryF1:
    """Streaming mBF at several tolerances at once.

    Args:
        num_classes: ids run from 0 to `num_classes - 1`.
        tolerances: sequence of `Tolerance`.
        ignore_label: pixels with this label belong to no class, in truth and
            prediction alike.
    """

    def __init__(self, num_classes, tolerances=DEFAULTS, ignore_label=255):
        self.num_classes = num_classes
        self.tolerances = tuple(tolerances)
        self.ignore_label = ignore_label
        if not self.tolerances:
            raise UserError("tolerances: at least one is needed")
        self.reset()

    def reset(self):
        """Forgets all images."""
        self._scores = []

    def update(self, label, prediction):
        """Adds one image.

        Args:
            label: integers `(height, width)`, ids or the ignore label.
            prediction: integers `(height, width)`, ids.

        Raises:
            UserError: shapes, dtypes or ids are not as above.
        """
        counts = boundary_counts(
            label,
            prediction,
            self.num_classes,
            self.tolerances,
            self.ignore_label,
        )
        self._scores.append(f1_scores(counts))

    def result(self):
        """Returns a tuple of `BoundaryF1Result`, one a tolerance."""
        shape = (len(self._scores), len(self.tolerances), self.num_classes)
        scores = np.array(self._scores, np.float64).reshape(shape)
        return tuple(
            _result(tolerance, scores[:, i])
            for i, tolerance in enumerate(self.tolerances)
        )


def boundary_f1(
    label, prediction, num_classes, tolerance=DEFAULT, ignore_label=255
):
    """Boundary F1 of one image.

    Args:
        label: integers `(height, width)`, ids or the ignore label.
        prediction: integers `(height, width)`, ids.
        num_classes: ids run from 0 to `num_classes - 1`.
        tolerance: `Tolerance`; by default 0.75 % of the diagonal.
        ignore_label: pixels with this label are cleared from both maps.

    Returns:
        `BoundaryF1Result`.

    Raises:
        UserError: shapes, dtypes or ids are not as above.
    """
    metric = BoundaryF1(num_classes, (tolerance,), ignore_label)
    metric.update(label, prediction)
    return metric.result()[0]


def boundary_counts(label, prediction, num_classes, tolerances, ignore_label):
    """Boundary pixels of each class, and how many of them are met.

    Returns:
        int64 `(tolerances, num_classes, 4)`: boundary pixels of the
        prediction, of the truth, met ones of the prediction, of the truth.
    """
    label, prediction = check_pair(label, prediction, num_classes, ignore_label)
    # A class of their own takes ignored pixels out of all others.
    void = num_classes
    ignored = label == ignore_label
    maps = [np.where(ignored, void, m) for m in (prediction, label)]
    points = [_points_by_class(m, num_classes) for m in maps]
    counts = np.zeros((len(tolerances), num_classes, 4), np.int64)
    reach = max(t.pixels(label.shape) for t in tolerances)
    for c in range(num_classes):
        predicted, true = points[0][c], points[1][c]
        counts[:, c, 0], counts[:, c, 1] = len(predicted), len(true)
        if not (len(predicted) and len(true)):
            continue
        for side, (ours, theirs) in enumerate(
            ((predicted, true), (true, predicted))
        ):
            squared = _squared_distances(ours, theirs, reach)
            for i, tolerance in enumerate(tolerances):
                met = tolerance.meets(squared, label.shape)
                counts[i, c, 2 + side] = np.count_nonzero(met)
    return counts


def f1_scores(counts):
    """F1 from `boundary_counts`; NaN for a class in neither map."""
    predicted, true, precise, recalled = np.moveaxis(
        counts.astype(np.float64), -1, 0
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = precise / predicted, recalled / true
        f1 = 2 * precision * recall / (precision + recall)
    f1 = np.where((predicted > 0) | (true > 0), np.nan_to_num(f1), np.nan)
    return f1


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


def _points_by_class(label, num_classes):
    """Boundary pixels `(n, 2)` of each class, from one comparison of maps."""
    points = np.argwhere(boundary_pixels(label))
    classes = label[points[:, 0], points[:, 1]]
    order = np.argsort(classes, kind="stable")
    ends = np.cumsum(np.bincount(classes, minlength=num_classes + 1))
    return np.split(points[order], ends[:-1])


def _squared_distances(points, others, reach):
    """Squared distance to the nearest of `others`; infinity beyond reach."""
    # A little over, since the tree's bound is strict and rounded.
    _, nearest = cKDTree(others).query(points, distance_upper_bound=reach + 1)
    found = nearest < len(others)
    squared = np.full(len(points), np.inf)
    offsets = points[found] - others[nearest[found]]
    squared[found] = (offsets**2).sum(1)
    return squared


def _result(tolerance, scores):
    counted = ~np.isnan(scores)
    images = counted.any(axis=1)
    classes = counted.any(axis=0)
    per_class = np.full(scores.shape[1], np.nan)
    per_class[classes] = np.nanmean(scores[:, classes], axis=0)
    mbf = np.nanmean(scores[images], axis=1).mean() if images.any() else np.nan
    return BoundaryF1Result(tolerance, float(mbf), per_class, int(images.sum()))

"""Mean boundary F1 (mBF): how well class boundaries are met.

After Csurka et al. 2013: for every class of an image, precision and recall of
its boundary pixels within a tolerance; F1 is averaged over the classes of an
image, then over images. What the sources leave open is a field of
`BoundaryRule`, and every result names its rule and its tolerance.
"""

from dataclasses import dataclass

import numpy as np

from deepgbass.errors import UserError
from deepgbass.metrics.boundary_counts import boundary_counts
from deepgbass.metrics.boundary_rule import (
    DEFAULT,
    DEFAULTS,
    BoundaryRule,
    Tolerance,
)
from deepgbass.metrics.label_maps import mean_where_counted, uncounted_classes
from deepgbass.metrics.streaming import StreamingMetric


@dataclass(frozen=True)
class BoundaryF1Result:
    """What was measured at one tolerance; shares lie in 0..1.

    Attributes:
        mbf: the mean boundary F1; NaN if nothing counts.
        per_class: float `(num_classes,)`: mean F1 of each class over the
            images in which it counts (of its summed counts, if the average
            is "pooled"); NaN where it never does.
        tolerance: `Tolerance`.
        rule: `BoundaryRule`.
        images: number of images in which a class counts. Images without any
            do not enter the mean.
        counts: int64 `(all images, num_classes, 4)`: boundary pixels of the
            prediction, of the truth, met ones of the prediction, of the
            truth.
        excluded: ids of the classes that the mean leaves out.
    """

    mbf: float
    per_class: np.ndarray
    tolerance: Tolerance
    rule: BoundaryRule
    images: int
    counts: np.ndarray
    excluded: tuple[int, ...] = ()

    @property
    def description(self):
        """Rule and tolerance, to stand beside the number."""
        return self.rule.at(self.tolerance)

    def __str__(self):
        return f"mBF {100 * self.mbf:.2f} % ({self.description})"


class BoundaryF1(StreamingMetric):
    """Streaming mBF at several tolerances at once.

    Args:
        num_classes: ids run from 0 to `num_classes - 1`.
        tolerances: sequence of `Tolerance`, or of numbers: fractions of the
            diagonal.
        ignore_label: pixels with this label are ignored. If it is a class,
            that class is excluded.
        excluded: ids of classes that are not scored: their pixels in the
            truth are ignored, and they enter no mean.
        **rule: fields of `BoundaryRule`, as `boundary="seg2bmap"`.

    Raises:
        UserError: there is no tolerance, a rule is unknown, or an excluded id
            is no class.
    """

    def __init__(
        self,
        num_classes,
        tolerances=DEFAULTS,
        ignore_label=255,
        excluded=(),
        **rule,
    ):
        self.num_classes = num_classes
        self.tolerances = tuple(
            t if isinstance(t, Tolerance) else Tolerance(t) for t in tolerances
        )
        self.ignore_label = ignore_label
        self.excluded = uncounted_classes(num_classes, ignore_label, excluded)
        self.rule = BoundaryRule(**rule)
        if not self.tolerances:
            raise UserError("tolerances are empty; give at least one Tolerance")
        self.reset()

    def reset(self):
        self._counts = []

    def measure(self, label, prediction):
        """Counts one image without adding it; safe in any thread.

        Args: as `update`.

        Returns:
            int64 `(tolerances, num_classes, 4)`, for `add`.
        """
        return boundary_counts(
            label,
            prediction,
            self.num_classes,
            self.tolerances,
            self.ignore_label,
            self.rule,
            self.excluded,
        )

    def add(self, counts):
        self._counts.append(counts)

    def result(self):
        """Returns a tuple of `BoundaryF1Result`, one a tolerance.

        Before the first image, every score is NaN.
        """
        shape = (-1, len(self.tolerances), self.num_classes, 4)
        counts = np.array(self._counts, np.int64).reshape(shape)
        return tuple(
            _result(counts[:, i], tolerance, self.rule, self.excluded)
            for i, tolerance in enumerate(self.tolerances)
        )


def boundary_f1(
    label,
    prediction,
    num_classes,
    tolerance=DEFAULT,
    ignore_label=255,
    excluded=(),
    **rule,
):
    """Boundary F1 of one image.

    Args:
        label: integers `(height, width)`, ids or the ignore label.
        prediction: integers `(height, width)`, ids; anything where the label
            is ignored.
        num_classes: ids run from 0 to `num_classes - 1`.
        tolerance: `Tolerance`, or a number: a fraction of the diagonal.
        ignore_label, excluded, **rule: as `BoundaryF1`.

    Returns:
        `BoundaryF1Result`.

    Raises:
        UserError: shapes, dtypes or ids are not as above.
    """
    metric = BoundaryF1(
        num_classes, (tolerance,), ignore_label, excluded, **rule
    )
    metric.update(label, prediction)
    return metric.result()[0]


def boundary_scores(counts, absent="union"):
    """Precision, recall and F1 from boundary counts.

    Args:
        counts: integers `(..., 4)`, as `boundary_counts` gives.
        absent: as `BoundaryRule.absent`.

    Returns:
        Three floats `(...)` in 0..1; NaN for a class that does not count. F1
        is 0 where precision and recall are.
    """
    predicted, true, precise, recalled = np.moveaxis(
        counts.astype(np.float64), -1, 0
    )
    in_prediction, in_truth = predicted > 0, true > 0
    counted = {
        "union": in_prediction | in_truth,
        "gt": in_truth,
        "both": in_prediction & in_truth,
        "all1": np.ones_like(in_truth),
    }[absent]
    nothing = 1.0 if absent == "all1" else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(in_prediction, precise / predicted, nothing)
        recall = np.where(in_truth, recalled / true, nothing)
        f1 = 2 * precision * recall / (precision + recall)
    f1 = np.nan_to_num(f1)
    return tuple(np.where(counted, x, np.nan) for x in (precision, recall, f1))


def _result(counts, tolerance, rule, excluded):
    f1 = boundary_scores(counts, rule.absent)[2]
    f1[:, list(excluded)] = np.nan
    images = (~np.isnan(f1)).any(axis=1)
    if rule.average == "pooled":
        per_class = boundary_scores(counts.sum(axis=0), rule.absent)[2]
        per_class[list(excluded)] = np.nan
    else:
        per_class = mean_where_counted(f1, axis=0)
    mbf = {
        "image": lambda: mean_where_counted(mean_where_counted(f1, axis=1)),
        "class": lambda: mean_where_counted(per_class),
        "flat": lambda: mean_where_counted(f1),
        "pooled": lambda: mean_where_counted(per_class),
    }[rule.average]()
    return BoundaryF1Result(
        mbf=float(mbf),
        per_class=per_class,
        tolerance=tolerance,
        rule=rule,
        images=int(images.sum()),
        counts=counts,
        excluded=excluded,
    )

"""Mean intersection over union of a data set."""

from dataclasses import dataclass

import numpy as np

from deepgbass.metrics.label_maps import (
    check_pair,
    mean_where_counted,
    uncounted_classes,
)
from deepgbass.metrics.streaming import StreamingMetric


@dataclass(frozen=True)
class MeanIoUResult:
    """What `MeanIoU` measured; shares lie in 0..1.

    Attributes:
        miou: mean of `per_class` over the classes that occur in labels or
            predictions and are not excluded; NaN if there is none.
        per_class: float `(num_classes,)`, TP / (TP + FP + FN); NaN where a
            class occurs in neither. An excluded class has 0 if it was
            predicted.
        pixel_accuracy: share of valid pixels that are right; NaN if none.
        confusion: int64 `(num_classes, num_classes)`, rows are the truth.
        excluded: ids of the classes that the mean leaves out.
    """

    miou: float
    per_class: np.ndarray
    pixel_accuracy: float
    confusion: np.ndarray
    excluded: tuple[int, ...] = ()

    def __str__(self):
        return f"mIoU: {100 * self.miou:.2f} %"

    def without(self, *ids):
        """The same with these classes excluded as well.

        ADE20K-32 has two means: over all 32 classes (the paper trains all),
        and by MLPerf's rule, which is `result.without(0)`: pixels whose truth
        is 0 are dropped, predicting 0 elsewhere is an error, and the mean is
        over classes 1 to 31.
        """
        uncounted_classes(len(self.confusion), None, ids)
        return iou_result(self.confusion, {*self.excluded, *ids})


class MeanIoU(StreamingMetric):
    """Streaming mIoU over one confusion matrix of the whole data set.

    Args:
        num_classes: ids run from 0 to `num_classes - 1`.
        ignore_label: pixels with this label are left out. If it is a class,
            that class is excluded.
        excluded: ids of classes that are not scored: their pixels in the
            truth are left out, and so are they from the mean. To predict
            them elsewhere remains an error.

    Raises:
        UserError: an excluded id is no class.
    """

    def __init__(self, num_classes, ignore_label=255, excluded=()):
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.excluded = uncounted_classes(num_classes, ignore_label, excluded)
        self.reset()

    def reset(self):
        shape = (self.num_classes, self.num_classes)
        self._confusion = np.zeros(shape, np.int64)

    def measure(self, label, prediction):
        """Counts one image without adding it; safe in any thread.

        Args: as `update`.

        Returns:
            int64 `(num_classes, num_classes)`, for `add`.
        """
        maps = check_pair(
            label,
            prediction,
            self.num_classes,
            self.ignore_label,
            self.excluded,
        )
        return confusion_matrix(*maps, self.num_classes)

    def add(self, confusion):
        self._confusion += confusion

    def result(self):
        """Returns `MeanIoUResult` for all images so far; NaN if none."""
        return iou_result(self._confusion, self.excluded)


def confusion_matrix(label, prediction, valid, num_classes):
    """How often each class was taken for each.

    Args:
        label: integers `(...)`, ids where valid.
        prediction: integers of the same shape, ids where valid.
        valid: bools of the same shape: pixels to count.
        num_classes: ids run from 0 to `num_classes - 1`.

    Returns:
        int64 `(num_classes, num_classes)`, rows are the label.
    """
    # One number for each (truth, prediction) pair: one count for all.
    size = num_classes**2
    pairs = label.astype(np.min_scalar_type(size))
    pairs *= num_classes
    pairs += prediction.astype(pairs.dtype)
    counts = np.bincount(pairs[valid], minlength=size)
    return counts.reshape(num_classes, num_classes)


def iou_result(confusion, excluded=()):
    """`MeanIoUResult` of a confusion matrix, rows being the truth."""
    confusion = confusion.copy()
    excluded = tuple(sorted(excluded))
    confusion[list(excluded)] = 0
    hits = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hits
    with np.errstate(invalid="ignore"):
        per_class = hits / union
        pixel_accuracy = hits.sum() / confusion.sum()
    scored = np.delete(per_class, excluded)
    return MeanIoUResult(
        miou=float(mean_where_counted(scored)),
        per_class=per_class,
        pixel_accuracy=float(pixel_accuracy),
        confusion=confusion,
        excluded=excluded,
    )

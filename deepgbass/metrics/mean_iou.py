"""Mean intersection over union of a data set."""

from dataclasses import dataclass

import numpy as np

from deepgbass.errors import UserError


@dataclass(frozen=True)
class MeanIoUResult:
    """What `MeanIoU` measured; shares lie in 0..1.

    Attributes:
        miou: mean of `per_class` over the classes that occur in labels or
            predictions; NaN if no valid pixel was seen.
        per_class: float `(num_classes,)`, TP / (TP + FP + FN); NaN where a
            class occurs in neither.
        pixel_accuracy: share of valid pixels that are right; NaN if none.
        confusion: int64 `(num_classes, num_classes)`, rows are the truth.
    """

    miou: float
    per_class: np.ndarray
    pixel_accuracy: float
    confusion: np.ndarray


class MeanIoU:
    """Streaming mIoU over one confusion matrix of the whole data set.

    Args:
        num_classes: ids run from 0 to `num_classes - 1`.
        ignore_label: pixels with this label are left out.
    """

    def __init__(self, num_classes, ignore_label=255):
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.reset()

    def reset(self):
        """Forgets all images."""
        shape = (self.num_classes, self.num_classes)
        self._confusion = np.zeros(shape, np.int64)

    def update(self, label, prediction):
        """Adds one image.

        Args:
            label: integers `(height, width)`, ids or the ignore label.
            prediction: integers `(height, width)`, ids; anything where the
                label is ignored.

        Raises:
            UserError: shapes, dtypes or ids are not as above.
        """
        label, prediction, valid = check_pair(
            label, prediction, self.num_classes, self.ignore_label
        )
        # One number for each (truth, prediction) pair: one count for all.
        pairs = label[valid].astype(np.int64) * self.num_classes
        pairs += prediction[valid]
        counts = np.bincount(pairs, minlength=self._confusion.size)
        self._confusion += counts.reshape(self._confusion.shape)

    def result(self):
        """Returns `MeanIoUResult` for all images so far."""
        confusion = self._confusion.copy()
        hits = np.diag(confusion)
        union = confusion.sum(0) + confusion.sum(1) - hits
        total = confusion.sum()
        with np.errstate(invalid="ignore"):
            per_class = hits / union
        return MeanIoUResult(
            miou=float(np.nanmean(per_class)) if total else float("nan"),
            per_class=per_class,
            pixel_accuracy=float(hits.sum() / total) if total else float("nan"),
            confusion=confusion,
        )


def check_pair(label, prediction, num_classes, ignore_label):
    """A label map and its prediction as arrays, and where the label counts.

    Returns:
        Two integer arrays `(height, width)` in the dtypes given, and a bool
        array, False where the label is ignored.

    Raises:
        UserError: they are not two integer maps of one size, or hold ids
            outside the classes; predictions are free where the label is
            ignored.
    """
    label, prediction = np.asarray(label), np.asarray(prediction)
    for name, array in (("label", label), ("prediction", prediction)):
        if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
            raise UserError(
                f"{name} must be integers (height, width), but it is "
                f"{array.dtype} {array.shape}"
            )
    if label.shape != prediction.shape:
        raise UserError(
            f"label is {label.shape} but prediction is {prediction.shape}; "
            "resize the prediction to the label"
        )
    valid = label != ignore_label
    for name, array in (("label", label), ("prediction", prediction)):
        strange = valid & ((array < 0) | (array >= num_classes))
        if strange.any():
            ids = ", ".join(map(str, np.unique(array[strange])[:5]))
            raise UserError(
                f"{name} holds id {ids}, which is neither a class (0 to "
                f"{num_classes - 1}) nor the ignore label {ignore_label}"
            )
    return label, prediction, valid

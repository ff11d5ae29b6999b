"""Boundary IoU (Cheng et al. 2021) of semantic labels.

The IoU of a class's inner bands in truth and prediction: its pixels within d
of another class or of the image's frame, by chessboard distance, which is
what d erosions by a 3x3 square take away.
"""

import math
from dataclasses import dataclass

import numpy as np

from deepgbass.errors import UserError
from deepgbass.metrics.boundaries import boundary_pixels
from deepgbass.metrics.label_maps import (
    check_pair,
    cleared,
    mean_where_counted,
    uncounted_classes,
)
from deepgbass.metrics.streaming import StreamingMetric
from deepgbass.metrics.windows import over_squares

RULE = (
    "inner bands by 3x3 erosions, frame counts, data set union, ignore cleared"
)


@dataclass(frozen=True)
class BoundaryIoUResult:
    """What `BoundaryIoU` measured; shares lie in 0..1.

    Attributes:
        biou: mean of `per_class` over the classes in truth or prediction
            that are not excluded; NaN if there is none.
        per_class: float `(num_classes,)`: intersections of a class's bands
            over their unions, both summed over the data set; NaN where a
            class occurs in neither.
        dilation: width of the bands, as a fraction of the image's diagonal.
        widths: the widths of bands in pixels, of all images, sorted.
        rule: in words.
        counts: int64 `(images, num_classes, 2)`: intersection and union.
        excluded: ids of the classes that the mean leaves out.
    """

    biou: float
    per_class: np.ndarray
    dilation: float
    widths: tuple[int, ...]
    rule: str
    counts: np.ndarray
    excluded: tuple[int, ...] = ()

    @property
    def description(self):
        """Width and rule, to stand beside the number."""
        ends = sorted({*self.widths[:1], *self.widths[-1:]})
        pixels = f" ({' to '.join(map(str, ends))} px)" if ends else ""
        return f"{100 * self.dilation:g} % diag{pixels}, {self.rule}"

    def __str__(self):
        return f"boundary IoU {100 * self.biou:.2f} % ({self.description})"


class BoundaryIoU(StreamingMetric):
    """Streaming boundary IoU, summed over the data set as mIoU is.

    Args:
        num_classes: ids run from 0 to `num_classes - 1`.
        dilation: width of the bands as a fraction of the image's diagonal,
            rounded to whole pixels, at least 1; 0.02 is the authors' value.
        ignore_label: pixels with this label belong to no class in truth and
            prediction alike. If it is a class, that class is excluded.
        excluded: ids of classes that are not scored: their pixels in the
            truth are ignored, and they do not enter the mean.

    Raises:
        UserError: `dilation` is not in 0..1, or an excluded id is no class.
    """

    def __init__(
        self, num_classes, dilation=0.02, ignore_label=255, excluded=()
    ):
        if not 0 < dilation < 1:
            raise UserError(
                f"dilation is {dilation!r}; it must be a fraction of the "
                "diagonal between 0 and 1"
            )
        self.num_classes = num_classes
        self.dilation = dilation
        self.ignore_label = ignore_label
        self.excluded = uncounted_classes(num_classes, ignore_label, excluded)
        self.reset()

    def reset(self):
        self._counts, self._widths = [], set()

    def measure(self, label, prediction):
        """Counts one image without adding it; safe in any thread.

        Args: as `update`.

        Returns:
            int, the width of the band in pixels, and int64 `(num_classes,
            2)`, intersection and union, for `add`.
        """
        label, prediction, valid = check_pair(
            label,
            prediction,
            self.num_classes,
            self.ignore_label,
            self.excluded,
        )
        width = max(1, round(self.dilation * math.hypot(*label.shape)))
        true = inner_band(cleared(label, valid), width)
        found = inner_band(cleared(prediction, valid), width)
        both = true[(true == found) & (true >= 0)]
        intersection, *areas = (
            np.bincount(ids, minlength=self.num_classes)
            for ids in (both, true[true >= 0], found[found >= 0])
        )
        union = sum(areas) - intersection
        return width, np.stack([intersection, union], axis=1)

    def add(self, measured):
        width, counts = measured
        self._widths.add(width)
        self._counts.append(counts)

    def result(self):
        """Returns `BoundaryIoUResult` for all images so far; NaN if none."""
        counts = np.array(self._counts, np.int64)
        counts = counts.reshape(-1, self.num_classes, 2)
        intersection, union = counts.sum(axis=0).T
        with np.errstate(invalid="ignore"):
            per_class = intersection / union
        return BoundaryIoUResult(
            biou=float(mean_where_counted(np.delete(per_class, self.excluded))),
            per_class=per_class,
            dilation=self.dilation,
            widths=tuple(sorted(self._widths)),
            rule=RULE,
            counts=counts,
            excluded=self.excluded,
        )


def inner_band(ids, width):
    """Keeps a map's ids near the edges of their classes.

    Args:
        ids: integers `(height, width)`; -1 is no class.
        width: int, pixels: how many 3x3 erosions of a class would take the
            kept pixels away.

    Returns:
        Integers `(height, width)`, -1 elsewhere.
    """
    # A boundary pixel is at distance 1 from another class, and the way to the
    # nearest other pixel leads over one of these: one band for all classes.
    near = over_squares(
        boundary_pixels(ids, connectivity=8), width - 1, np.maximum, False
    )
    return np.where(near, ids, -1)

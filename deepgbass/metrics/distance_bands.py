"""Accuracy near class boundaries, by distance from them."""

from dataclasses import dataclass

import numpy as np

from deepgbass.errors import UserError
from deepgbass.metrics.label_maps import check_pair, uncounted_classes
from deepgbass.metrics.mean_iou import iou_result
from deepgbass.metrics.streaming import StreamingMetric
from deepgbass.metrics.windows import over_disks

RULE = "within a Euclidean distance of a pixel of another true class"


@dataclass(frozen=True)
class DistanceBandsResult:
    """What `DistanceBands` measured, band by band; shares lie in 0..1.

    Attributes:
        widths: ints, pixels. Each band includes the narrower ones.
        pixel_accuracy: float `(bands,)`: share of a band's pixels that are
            right; NaN for a band without a pixel.
        miou: float `(bands,)`: mean IoU of the band's pixels, over the
            classes that occur in it and are not excluded; NaN if none.
        per_class: float `(bands, num_classes)`: the IoU of each class.
        pixels: int64 `(bands,)`.
        rule: what a band is, in words.
        confusion: int64 `(bands, num_classes, num_classes)`, rows are the
            truth.
    """

    widths: tuple[int, ...]
    pixel_accuracy: np.ndarray
    miou: np.ndarray
    per_class: np.ndarray
    pixels: np.ndarray
    rule: str
    confusion: np.ndarray

    def __str__(self):
        lines = [f"{self.rule}:"]
        lines += [
            f"{width:4} px: mIoU {100 * miou:6.2f} %, accuracy "
            f"{100 * accuracy:6.2f} %, {pixels} pixels"
            for width, miou, accuracy, pixels in zip(
                self.widths,
                self.miou,
                self.pixel_accuracy,
                self.pixels,
                strict=True,
            )
        ]
        return "\n".join(lines)


class DistanceBands(StreamingMetric):
    """Streaming pixel accuracy and mIoU within distances of true boundaries.

    A pixel is within w if a pixel of another true class lies at a Euclidean
    distance of at most w pixels, between the centres: pixels on both sides of
    an edge are at distance 1. Ignored pixels are no other class and not
    counted; the image's frame is no boundary.

    Args:
        num_classes: ids run from 0 to `num_classes - 1`.
        widths: ints, pixels, increasing.
        ignore_label: pixels with this label are left out. If it is a class,
            that class is excluded.
        excluded: ids of classes that are not scored: their pixels in the
            truth are ignored, and they do not enter the mean.

    Raises:
        UserError: the widths are not as above, or an excluded id is no class.
    """

    def __init__(
        self,
        num_classes,
        widths=(1, 2, 4, 8, 16),
        ignore_label=255,
        excluded=(),
    ):
        widths = tuple(widths)
        whole = all(isinstance(w, int) and w > 0 for w in widths)
        if not widths or not whole or widths != tuple(sorted(set(widths))):
            raise UserError(
                f"widths are {widths!r}; they must be whole pixels from 1, "
                "increasing"
            )
        self.num_classes = num_classes
        self.widths = widths
        self.ignore_label = ignore_label
        self.excluded = uncounted_classes(num_classes, ignore_label, excluded)
        self.reset()

    def reset(self):
        classes = self.num_classes
        self._confusion = np.zeros((len(self.widths), classes, classes), int)

    def measure(self, label, prediction):
        """Counts one image without adding it; safe in any thread.

        Args: as `update`.

        Returns:
            int64 `(bands, num_classes, num_classes)`, for `add`.
        """
        label, prediction, valid = check_pair(
            label,
            prediction,
            self.num_classes,
            self.ignore_label,
            self.excluded,
        )
        outside = np.full(label.shape, len(self.widths), np.int16)
        for near in bands(label, valid, self.widths):
            outside -= near
        shape = (len(self.widths), self.num_classes, self.num_classes)
        counted = valid & (outside < len(self.widths))
        # One number for each (narrowest band, truth, prediction).
        codes = outside[counted].astype(np.int64)
        for ids in (label, prediction):
            codes = codes * self.num_classes + ids[counted]
        counts = np.bincount(codes, minlength=np.prod(shape))
        return counts.reshape(shape).cumsum(axis=0)

    def add(self, confusion):
        self._confusion += confusion

    def result(self):
        """Returns `DistanceBandsResult` for all images so far."""
        parts = [iou_result(band, self.excluded) for band in self._confusion]
        return DistanceBandsResult(
            widths=self.widths,
            pixel_accuracy=np.array([part.pixel_accuracy for part in parts]),
            miou=np.array([part.miou for part in parts]),
            per_class=np.array([part.per_class for part in parts]),
            pixels=self._confusion.sum(axis=(1, 2)),
            rule=RULE,
            confusion=self._confusion.copy(),
        )


def bands(label, valid, widths):
    """Which pixels lie near another class.

    Args:
        label: integers `(height, width)`.
        valid: bools `(height, width)`: pixels that have a class.
        widths: ints, pixels.

    Yields:
        For each width, bools `(height, width)`: another class of a valid
        pixel lies within it. Of no meaning where not valid.
    """
    # A disk holds another class where its greatest or smallest id is another.
    limits = np.iinfo(label.dtype)
    low = np.where(valid, label, limits.min)
    high = np.where(valid, label, limits.max)
    for width in widths:
        greatest = over_disks(low, width, np.maximum, limits.min)
        smallest = over_disks(high, width, np.minimum, limits.max)
        yield greatest != smallest

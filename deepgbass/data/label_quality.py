"""What a label map is like: its boundaries, and how its ignored bands lie.

Boundary scores compare boundary pixels. Where annotators left a band of
ignored pixels along every boundary, nearly none is left to compare.
"""

import dataclasses

import numpy as np

from deepgbass.metrics.boundaries import boundary_pixels


@dataclasses.dataclass(frozen=True)
class LabelQuality:
    """Measurements of one label map, or their sums over many.

    Attributes:
        boundary: Number of pixels of each stored id, int64 `(256,)`, with
            one of their 4 neighbours of another class or ignored.
        hidden: Those among them that have ignored neighbours but none of
            another class: what lies beyond was not annotated.
        ignored_border: Length of the border between ignored pixels and
            classes, in pixels.
    """

    boundary: np.ndarray
    hidden: np.ndarray
    ignored_border: float


def measure_label(ids: np.ndarray, ignore_label: int) -> LabelQuality:
    """Measures one label map; its frame is no boundary.

    Args:
        ids: uint8 `(height, width)`.
        ignore_label: The stored id of ignored pixels.
    """
    ignored = ids == ignore_label
    edge = boundary_pixels(ids, frame=False) & ~ignored
    hidden = edge & ~_meets_class(ids, ignored)
    return LabelQuality(
        np.bincount(ids[edge], minlength=256),
        np.bincount(ids[hidden], minlength=256),
        border_length(ignored),
    )


def border_length(mask: np.ndarray) -> float:
    """The length of a mask's border within the image, in pixels.

    Counts the crossings with straight lines in four directions (Cauchy and
    Crofton's formula). Of a straight border it is right to 6 % at any angle,
    where counting the sides of pixels gives up to 41 % too much.

    Args:
        mask: bool `(height, width)`.
    """
    straight = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(
        mask[:, 1:] != mask[:, :-1]
    )
    diagonal = np.count_nonzero(mask[1:, 1:] != mask[:-1, :-1])
    diagonal += np.count_nonzero(mask[1:, :-1] != mask[:-1, 1:])
    return np.pi / 8 * (straight + diagonal / np.sqrt(2))


def mean_width(area: float, border: float) -> float | None:
    """The mean width of bands in pixels, None if there is no border.

    A band has a border on both of its sides: area = width * border / 2. Wide
    and narrow bands weigh by the length of their borders.

    Args:
        area: Number of ignored pixels.
        border: As of `border_length`.
    """
    return 2 * area / border if border else None


def _meets_class(ids, ignored):
    """Where a pixel's neighbour is of another class, not ignored."""
    meets = np.zeros(ids.shape, bool)
    for axis in (0, 1):
        labels, void, found = (
            np.moveaxis(array, axis, 0) for array in (ids, ignored, meets)
        )
        differ = (labels[1:] != labels[:-1]) & ~(void[1:] | void[:-1])
        # Views: this writes into `meets`.
        found[1:] |= differ
        found[:-1] |= differ
    return meets

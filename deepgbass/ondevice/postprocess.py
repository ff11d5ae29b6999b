"""Logits to a label map at the image's size, in NumPy.

Two qualities: `nearest_labels` takes the best class at every logit and
repeats it; `bilinear_labels` takes the best of the logits interpolated at
every pixel, which makes finer borders. The latter never holds the enlarged
logits. Where the four logits around pixels have one best class, it is the
best of all their means too; only between different ones is interpolated.

Integer logits are interpolated exactly, in integers: ties are true ties, and
the first class wins them, as with `np.argmax`. Their scale and zero point do
not matter. Float ones are interpolated in float32.
"""

import numpy as np

from deepgbass.errors import UserError
from deepgbass.ondevice import sampling
from deepgbass.ondevice.interpolation import enter, interpolate


def bilinear_labels(logits, size, content, native, align_corners=False):
    """The best class at every pixel of bilinearly interpolated logits.

    Args:
        logits: `(h, w, classes)` of int8, uint8 or float32, for an image that
            `letterbox` has made the input's size; at most 255 classes.
        size: (height, width) of the network's input in pixels.
        content: (height, width) of the image's part of it, at the top left.
        native: (height, width) of the image as it came.
        align_corners: how the network's own resizes sample; see `Resize`.

    Returns:
        uint8 `native`.

    Raises:
        UserError: a logit is not finite.
    """
    height, width, classes = logits.shape
    # A frame of copies: every cell has four corners.
    planes = np.empty((classes, height + 2, width + 2), _plane_type(logits))
    _to_planes(logits, planes[:, 1:-1, 1:-1])
    for outer, inner in ((0, 1), (-1, -2)):
        planes[:, 1:-1, outer] = planes[:, 1:-1, inner]
    for outer, inner in ((0, 1), (-1, -2)):
        planes[:, outer] = planes[:, inner]
    best = _best(planes)
    rows, columns = (
        sampling.cells(*sides, align_corners)
        for sides in zip((height, width), size, content, native, strict=True)
    )
    labels = best.take(columns.of_pixel, axis=1).take(rows.of_pixel, axis=0)
    mixed = _mixed(best) & rows.used[:, None] & columns.used
    interpolate(labels, planes, mixed, rows, columns)
    return labels


def nearest_labels(logits, size, content, native, align_corners=False):
    """The best class of the logits that are nearest to every pixel.

    Args, Returns, Raises: as `bilinear_labels`.
    """
    height, width, classes = logits.shape
    planes = np.empty((classes, height, width), _plane_type(logits))
    _to_planes(logits, planes)
    labels = _best(planes)
    return enlarge_labels(labels, size, content, native, align_corners)


def enlarge_labels(labels, size, content, native, align_corners=False):
    """Undoes `letterbox` on labels: the nearest one for each pixel.

    Args:
        labels: `(h, w)`, at the network's input size or a lower one.
        size, content, native, align_corners: as in `bilinear_labels`.

    Returns:
        Integers of the labels' type, `native`.
    """
    rows, columns = (
        sampling.nearest(*sides, align_corners)
        for sides in zip(labels.shape, size, content, native, strict=True)
    )
    return labels.take(columns, axis=1).take(rows, axis=0)


def _plane_type(logits):
    return np.float32 if logits.dtype.kind == "f" else np.int8


def _to_planes(logits, planes):
    """Copies logits class by class: NumPy is fast along rows of one class."""
    if logits.dtype.kind == "f" and not np.isfinite(logits).all():
        raise UserError(
            "the network's output is not finite: it diverged in training; go "
            "back to an earlier checkpoint"
        )
    if logits.dtype == np.uint8:
        logits = (logits ^ 0x80).view(np.int8)
    planes[...] = logits.transpose(2, 0, 1)


def _best(planes):
    """The first class of the greatest value: uint8 `(h, w)`."""
    greatest = planes[0].copy()
    labels = np.zeros(greatest.shape, np.uint8)
    for index in range(1, len(planes)):
        enter(planes[index], np.uint8(index), greatest, labels)
    return labels


def _mixed(best):
    """Whether the corners of a cell differ: bool `(h - 1, w - 1)`."""
    corner = best[:-1, :-1]
    mixed = corner != best[:-1, 1:]
    mixed |= corner != best[1:, :-1]
    mixed |= corner != best[1:, 1:]
    return mixed

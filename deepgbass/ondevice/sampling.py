"""Where the pixels of an image lie between the samples of a network's output.

In whole numbers: a position that is rounded may fall on the other side of a
sample, and weights that are rounded make equal logits unequal.
"""

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True)
class Cells:
    """The pixels along one axis, by the samples that they lie between.

    Cell k, 0..few, lies between the samples k - 1 and k of `few`. Beyond the
    outermost sample there is that sample again.

    Attributes:
        of_pixel: int64 `(pixels,)`, in order.
        used: bool `(few + 1,)`, whether the cell has a pixel.
        pixels: int64 `(most, few + 1)`, the cell's pixels. Where it has fewer
            than others, its last one is repeated.
        weights: int64 `(most, few + 1)`, the share of sample k there.
        whole: int, the shares of both samples together.
    """

    of_pixel: np.ndarray
    used: np.ndarray
    pixels: np.ndarray
    weights: np.ndarray
    whole: int


@functools.lru_cache(maxsize=16)
def cells(few, size, content, native, align_corners=False):
    """Sorts an image's pixels into the cells between a network's samples.

    The image's `native` pixels, resized by pixel centres, are the first
    `content` of the `size` pixels of the network's input, which the samples
    span. Pixels beyond the content's outermost centres are taken to lie on
    them: the padding behind has no say in the image.

    Args:
        few, size, content, native: int, along one axis.
        align_corners: whether the outermost samples lie on the centres of the
            input's outermost pixels, and not half a sample within its edges.

    Returns:
        `Cells`, the same one for the same arguments: to be left as it is.
    """
    unit = 2 * native
    pixel = np.clip(_centres(native, content), 0, (content - 1) * unit)
    if align_corners:
        position = pixel * (few - 1)
        unit *= max(size - 1, 1)
    else:
        position = (2 * pixel + unit) * few - unit * size
        unit *= 2 * size
    of_pixel, weights = np.divmod(position, unit)
    of_pixel += 1
    common = int(np.gcd.reduce(weights, initial=unit))
    counts = np.bincount(of_pixel, minlength=few + 1)
    within = np.arange(counts.max())[:, None]
    pixels = np.cumsum(counts) - counts + np.minimum(within, counts - 1)
    pixels = np.maximum(pixels, 0)
    return Cells(
        of_pixel,
        counts > 0,
        pixels,
        weights[pixels] // common,
        unit // common,
    )


@functools.lru_cache(maxsize=16)
def nearest(few, size, content, native, align_corners=False):
    """The sample nearest to each pixel; arguments as of `cells`.

    Returns:
        int64 `(native,)`, to be left as it is. Of two at the same distance,
        the one behind.
    """
    pixel, unit = _centres(native, content), 2 * native
    if align_corners:
        last = max(size - 1, 1)
        samples = (2 * pixel * (few - 1) + unit * last) // (2 * unit * last)
    else:
        samples = (2 * pixel + unit) * few // (2 * unit * size)
    return np.clip(samples, 0, few - 1)


def _centres(native, content):
    """Where the image's pixels lie in the content, times 2 `native`."""
    return (2 * np.arange(native) + 1) * content - native

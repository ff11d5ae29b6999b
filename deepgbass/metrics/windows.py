"""Greatest and smallest values in windows around every pixel, fast."""

import math

import numpy as np


def sliding(array, size, axis, combine):
    """Combines every window of `size` neighbours along an axis.

    Windows double in width, so that the work grows with log2(size).

    Args:
        array: any array.
        size: int, 1 or above, at most the length of the axis.
        axis: which axis.
        combine: `np.maximum`, `np.minimum`, or another ufunc that may count
            a value twice.

    Returns:
        Array that is `size - 1` shorter along the axis; element i is of
        elements i to i + size - 1.
    """
    done = 1
    while done < size:
        step = min(done, size - done)
        kept = array.shape[axis] - step
        array = combine(
            _cut(array, 0, kept, axis), _cut(array, step, None, axis)
        )
        done += step
    return array


def over_squares(array, radius, combine, outside):
    """Combines the square of `2 radius + 1` pixels around every pixel.

    Args:
        array: `(height, width)`.
        radius: int, pixels.
        combine: as `sliding`.
        outside: value of pixels outside the image.

    Returns:
        Array of the same shape.
    """
    array = np.pad(array, radius, constant_values=outside)
    for axis in (0, 1):
        array = sliding(array, 2 * radius + 1, axis, combine)
    return array


def over_disks(array, radius, combine, outside):
    """Combines all pixels within a Euclidean distance of every pixel.

    Args: as `over_squares`; pixels at distance `radius` are within it.

    Returns:
        Array of the same shape.
    """
    height, width = array.shape
    array = np.pad(array, radius, constant_values=outside)
    spans, result = {}, None
    for row in range(-radius, radius + 1):
        half = math.isqrt(radius**2 - row**2)
        if half not in spans:
            columns = _cut(array, radius - half, width + radius + half, 1)
            spans[half] = sliding(columns, 2 * half + 1, 1, combine)
        part = _cut(spans[half], radius + row, radius + row + height, 0)
        result = (
            part.copy() if result is None else combine(result, part, result)
        )
    return result


def _cut(array, start, stop, axis):
    return array[(slice(None),) * axis + (slice(start, stop),)]

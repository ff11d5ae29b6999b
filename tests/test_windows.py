import numpy as np
import pytest
from scipy.ndimage import maximum_filter, minimum_filter

from deepgbass.metrics.windows import over_disks, over_squares, sliding

ARRAY = np.random.default_rng(0).integers(1, 99, (15, 22)).astype(np.uint8)


def disk(radius):
    steps = np.arange(-radius, radius + 1)
    return steps[:, None] ** 2 + steps**2 <= radius**2


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 5, 8, 16, 25])
def test_windows_equal_scipy(radius):
    for combine, filter, outside in (
        (np.maximum, maximum_filter, 0),
        (np.minimum, minimum_filter, 255),
    ):
        options = {"mode": "constant", "cval": outside}
        before = ARRAY.copy()
        np.testing.assert_array_equal(
            over_squares(ARRAY, radius, combine, outside),
            filter(ARRAY, size=2 * radius + 1, **options),
        )
        np.testing.assert_array_equal(
            over_disks(ARRAY, radius, combine, outside),
            filter(ARRAY, footprint=disk(radius), **options),
        )
        np.testing.assert_array_equal(ARRAY, before)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 15])
def test_sliding_windows_are_numpys(size):
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(ARRAY, size, axis)
        np.testing.assert_array_equal(
            sliding(ARRAY, size, axis, np.maximum), windows.max(-1)
        )

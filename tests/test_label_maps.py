import numpy as np
import pytest
from label_pairs import random_pair

from deepgbass.metrics.label_maps import (
    check_pair,
    cleared,
    mean_where_counted,
)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_pairs_keep_their_values_in_a_small_dtype(dtype):
    label, prediction = random_pair()
    a, b, valid = check_pair(label.astype(dtype), prediction, 4, 255, (2,))
    np.testing.assert_array_equal(a, label)
    np.testing.assert_array_equal(b, prediction)
    np.testing.assert_array_equal(valid, (label != 255) & (label != 2))
    assert a.dtype == b.dtype == np.uint8


def test_large_ids_are_not_cut_off():
    label = np.array([[0, 300, 70_000]])
    a, b, valid = check_pair(label, label, 70_000, 70_000)
    np.testing.assert_array_equal(a, label)
    np.testing.assert_array_equal(b, label)
    np.testing.assert_array_equal(valid, [[True, True, False]])


def test_cleared_pixels_are_no_class():
    ids = np.array([[200, 1]], np.uint8)
    out = cleared(ids, np.array([[True, False]]))
    np.testing.assert_array_equal(out, [[200, -1]])
    np.testing.assert_array_equal(ids, [[200, 1]])


def test_means_leave_out_nan():
    values = np.array([[1, np.nan, 3], [np.nan, np.nan, 5]])
    assert mean_where_counted(values) == 3
    np.testing.assert_array_equal(
        mean_where_counted(values, axis=0), [1, np.nan, 4]
    )
    assert np.isnan(mean_where_counted(np.array([])))

"""Checks of a label map and its prediction, common to all metrics."""

import numpy as np

from deepgbass.errors import UserError


def check_pair(label, prediction, num_classes, ignore_label, excluded=()):
    """A label map and its prediction as arrays, and where the label counts.

    Args:
        label: integers `(height, width)`, ids or the ignore label.
        prediction: integers `(height, width)`, ids; anything where the label
            is ignored.
        num_classes: ids run from 0 to `num_classes - 1`.
        ignore_label: pixels with this label do not count.
        excluded: ids of classes whose pixels do not count either.

    Returns:
        Two integer arrays `(height, width)` in small dtypes, row by row in
        memory, and a bool array, False where the label does not count.

    Raises:
        UserError: they are not two integer maps of one size, or hold ids
            outside the classes.
    """
    label = _compact("label", label)
    prediction = _compact("prediction", prediction)
    if label.shape != prediction.shape:
        raise UserError(
            f"label is {label.shape} but prediction is {prediction.shape}; "
            "resize the prediction to the label"
        )
    valid = label != ignore_label
    for name, array in (("label", label), ("prediction", prediction)):
        if array.min() >= 0 and array.max() < num_classes:
            continue
        strange = valid & ((array < 0) | (array >= num_classes))
        if strange.any():
            row, column = np.argwhere(strange)[0]
            ids = ", ".join(map(str, np.unique(array[strange])[:5]))
            raise UserError(
                f"{name} holds id {ids}, which is neither a class (0 to "
                f"{num_classes - 1}) nor the ignore label {ignore_label}; "
                f"first at row {row}, column {column}"
            )
    for index in excluded:
        valid &= label != index
    return label, prediction, valid


def cleared(ids, valid):
    """A copy of a map with the id -1 where it does not count."""
    ids = ids.astype(np.result_type(ids.dtype, np.int8))
    np.copyto(ids, -1, where=~valid)
    return ids


def uncounted_classes(num_classes, ignore_label, excluded):
    """The classes that no mean includes, sorted.

    These are the excluded ones and, if it is a class, the ignored one: the
    truth never has it, so that it would count only because it was predicted.

    Raises:
        UserError: `num_classes` is below 1 or an excluded id is no class.
    """
    if num_classes < 1:
        raise UserError(f"num_classes is {num_classes}; it must be 1 or above")
    for index in excluded:
        if index not in range(num_classes):
            raise UserError(
                f"excluded holds {index!r}, which is no class (0 to "
                f"{num_classes - 1})"
            )
    ignored = {ignore_label} & set(range(num_classes))
    return tuple(sorted(ignored | set(excluded)))


def mean_where_counted(values, **options):
    """`np.nanmean`, but NaN without a warning where there is nothing."""
    values = np.asarray(values)
    counted = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(counted, values, 0).sum(**options) / counted.sum(
            **options
        )


def _compact(name, array):
    """The map in the smallest dtype that holds it: less memory to pass."""
    array = np.asarray(array)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
        raise UserError(
            f"{name} must be integers (height, width), but it is "
            f"{array.dtype} {array.shape}"
        )
    if not array.size:
        raise UserError(f"{name} is {array.shape}: it has no pixel")
    ends = (
        np.min_scalar_type(int(array.min())),
        np.min_scalar_type(int(array.max())),
    )
    return array.astype(np.result_type(*ends), order="C", copy=False)

"""The best class between the corners of a cell, for few classes a cell.

Cells lie between logits, as `sampling.Cells` counts them. Interpolation takes
means of a cell's four corners. So no class wins within it whose greatest
corner is below another class's least; in most cells, two or three are left.
Those of many cells take part at once: first the first one of each cell, then
the second ones, and so on.
"""

import numpy as np

# So many pixels at a time. What is held for them takes as much memory as a
# few rows of enlarged logits, whatever the image's size.
_PIXELS = 16384


def interpolate(labels, planes, mixed, rows, columns):
    """Replaces the labels in some cells by the best interpolated class.

    Args:
        labels: uint8 `(height, width)`, changed in place.
        planes: int8 or float32 `(classes, h + 2, w + 2)`, logits in a frame
            of copies.
        mixed: bool `(h + 1, w + 1)`, the cells; each has a pixel.
        rows, columns: `sampling.Cells`.
    """
    rivals = _rivals(planes).reshape(len(planes), -1)
    kind = _working_type(planes.dtype, rows.whole * columns.whole)
    down, across = _shares(rows, kind), _shares(columns, kind)
    cells, flat = np.flatnonzero(mixed), labels.reshape(-1)
    step = max(_PIXELS // (len(rows.pixels) * len(columns.pixels)), 1)
    for start in range(0, len(cells), step):
        part = cells[start : start + step]
        part, turns = _take_turns(part, rivals.take(part, axis=1))
        y, x = np.divmod(part, mixed.shape[1])
        # Not `[:, y]`, whose result does not lie in memory row by row.
        best = _contest(
            planes,
            turns,
            y * planes.shape[2] + x,
            (down[0].take(y, axis=1), down[1]),
            (across[0].take(x, axis=1), across[1]),
        )
        above = rows.pixels.take(y, axis=1) * labels.shape[1]
        flat[above[:, None] + columns.pixels.take(x, axis=1)] = best


def _rivals(planes):
    """Classes that are not below another all over a cell: bool."""
    least, most = (
        _of_corners(choose, planes) for choose in (np.minimum, np.maximum)
    )
    return most >= np.maximum.reduce(least, axis=0)


def _of_corners(choose, planes):
    pairs = choose(planes[:, :, :-1], planes[:, :, 1:])
    return choose(pairs[:, :-1], pairs[:, 1:])


def _take_turns(cells, rivals):
    """Sorts cells so that every turn concerns the first ones of them.

    Args:
        cells: int `(cells,)`.
        rivals: bool `(classes, cells)`.

    Returns:
        The cells, those with most rivals first, and a list of int arrays: the
        first rival of each cell, the second one of those that have two ...
    """
    counts = np.add.reduce(rivals, axis=0, dtype=np.uint8)
    # Descending by overflow; NumPy sorts bytes by counting them.
    order = np.argsort(-counts, kind="stable")
    counts = counts[order].astype(np.intp)
    cell, index = np.nonzero(rivals.T[order])
    turn = np.arange(len(cell)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.empty((counts[0], len(cells)), np.intp)
    table[turn, cell] = index
    lengths = [np.count_nonzero(counts > i) for i in range(len(table))]
    turns = [row[:n] for row, n in zip(table, lengths, strict=True)]
    return cells[order], turns


def _contest(planes, turns, corner, down, across):
    """The best class at the pixels of cells.

    Args:
        planes: as above.
        turns: as of `_take_turns`.
        corner: int `(cells,)`, where a cell's first corner lies in a plane.
        down: weights `(rows, cells)` of the corners below, and their whole.
        across: weights `(columns, cells)` of those behind, likewise.

    Returns:
        uint8 `(rows, columns, cells)`.
    """
    down, tall = down
    across, wide = across
    area, width = planes.shape[1] * planes.shape[2], planes.shape[2]
    offsets = np.array([[[0], [1]], [[width], [width + 1]]])
    flat = planes.reshape(-1)
    shape = len(down), len(across), len(corner)
    greatest, labels = None, np.empty(shape, np.uint8)
    for index in turns:
        some = np.s_[..., : len(index)]
        corners = flat.take(offsets + (corner[some] + index * area))
        above, below = corners.astype(down.dtype)
        # At the left and the right, (2, rows, cells).
        sides = above[:, None] * tall + (below - above)[:, None] * down[some]
        values = (sides[1] - sides[0])[:, None] * across[some]
        values += (sides[0] * wide)[:, None]
        if greatest is None:
            greatest = values
            labels[...] = index
        else:
            enter(values, index.astype(np.uint8), greatest[some], labels[some])
    return labels


def enter(values, index, greatest, labels):
    """Lets classes compete with those of lower index that did before.

    Args:
        values: of the classes.
        index: uint8, or an array of them that `values` broadcasts to.
        greatest: the greatest value so far; brought up to date.
        labels: uint8, its class; brought up to date.
    """
    won = (values > greatest).view(np.uint8)
    np.maximum(greatest, values, out=greatest)
    # Faster than an assignment where it won.
    won *= index
    np.maximum(labels, won, out=labels)


def _working_type(kind, whole):
    """A type for values times both axes' shares; what is between may wrap."""
    if kind == np.float32:
        return kind
    return next(
        np.dtype(kind)
        for kind in (np.int16, np.int32, np.int64)
        if 128 * whole <= np.iinfo(kind).max + 1
    )


def _shares(axis, kind):
    """An axis's weights and their whole, as numbers of a type."""
    if kind == np.float32:
        return (axis.weights / axis.whole).astype(kind), 1
    return axis.weights.astype(kind), axis.whole

"""Boundary pixels of all classes of a label map at once."""

import numpy as np


def boundary_pixels(label, connectivity=4, frame=True):
    """Where a pixel's class differs from that of a neighbour.

    The union of all classes' inner boundaries: a class mask minus its erosion
    by a cross (connectivity 4) or by a 3x3 square (8).

    Args:
        label: integers `(height, width)`.
        connectivity: 4 or 8 neighbours.
        frame: outside the image is no class, so its frame is a boundary.

    Returns:
        bool `(height, width)`.
    """
    boundary = np.zeros(label.shape, bool)
    if frame:
        boundary[[0, -1], :] = boundary[:, [0, -1]] = True
    ahead, behind, whole = slice(1, None), slice(None, -1), slice(None)
    steps = [
        ((ahead, whole), (behind, whole)),
        ((whole, ahead), (whole, behind)),
    ]
    if connectivity == 8:
        steps.append(((ahead, ahead), (behind, behind)))
        steps.append(((ahead, behind), (behind, ahead)))
    for here, there in steps:
        differ = label[here] != label[there]
        boundary[here] |= differ
        boundary[there] |= differ
    return boundary


def boundary_points(ids, kind):
    """The boundary pixels of every class.

    Args:
        ids: integers `(height, width)`; -1 is no class.
        kind: as `BoundaryRule.boundary`.

    Returns:
        Two integer arrays `(points,)`: class, and index into the flat map.
    """
    if kind == "seg2bmap":
        return _seg2bmap(ids)
    connectivity = 8 if kind.startswith("inner8") else 4
    frame = not kind.endswith("_noframe")
    boundary = boundary_pixels(ids, connectivity, frame) & (ids >= 0)
    positions = np.flatnonzero(boundary)
    return ids.ravel()[positions], positions


def _seg2bmap(ids):
    """Pixels that differ from the one to the right, below, or both.

    A pixel may be on the boundary of up to four classes: its own and those of
    the three neighbours.
    """
    # Beyond the frame lies a copy of it, so that the frame is no boundary.
    padded = np.pad(ids, (0, 1), mode="edge")
    own = np.zeros(ids.shape, bool)
    codes = []
    for neighbour in (padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]):
        differ = ids != neighbour
        own |= differ
        positions = np.flatnonzero(differ)
        codes.append(neighbour[differ].astype(np.int64) * ids.size + positions)
    codes.append(ids[own].astype(np.int64) * ids.size + np.flatnonzero(own))
    codes = np.unique(np.concatenate(codes))
    return np.divmod(codes[codes >= 0], ids.size)

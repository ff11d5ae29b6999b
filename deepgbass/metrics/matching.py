"""Which points of one map have a point of the same class near in another."""

import math

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

from deepgbass.errors import UserError

# Pixels up to this far are looked up: faster than a tree while they are few.
_NEAR = 3
_BIPARTITE_LIMIT = 512 * 512
_BIPARTITE_PAIRS = 20_000_000


def squared_distances(points, others, shape, reach, chessboard=False):
    """Squared distance of each point to the nearest other of its class.

    Args:
        points: class and flat index of each point, as `boundary_points` gives.
        others: the same of the other map.
        shape: `(height, width)` of both maps.
        reach: distances above it, in pixels, need not be found.
        chessboard: take the larger of the two offsets as the distance.

    Returns:
        float `(points,)`, whole numbers; infinity where nothing was found.
    """
    reach = min(reach, sum(shape))  # no distance is greater
    if chessboard or not _one_class_a_pixel(others):
        return _search(points, others, shape, reach, chessboard)
    squared = _look_around(points, others, shape, reach)
    if reach > _NEAR:
        rest = np.flatnonzero(squared == np.inf)
        points = points[0][rest], points[1][rest]
        squared[rest] = _search(points, others, shape, reach, chessboard)
    return squared


def bipartite_matches(points, others, shape, tolerance):
    """Pairs points of two maps one to one, as many as can be.

    Args:
        points, others, shape: as `squared_distances`.
        tolerance: `Tolerance` within which two points may be paired.

    Returns:
        Two bool arrays: which of the points and of the others have a partner.
        Their number is unique, they are not.

    Raises:
        UserError: the maps are larger than 512x512 pixels, or 20 million
            pairs are within the tolerance.
    """
    if math.prod(shape) > _BIPARTITE_LIMIT:
        raise UserError(
            f"matching 'bipartite' takes up to {_BIPARTITE_LIMIT} pixels "
            f"(512x512), but the label is {shape}; use 'nearest'"
        )
    reach = min(tolerance.pixels(shape), sum(shape))
    points, others = _spread(shape, reach, points, others)
    matched = np.zeros(len(points), bool), np.zeros(len(others), bool)
    if not (len(points) and len(others)):
        return matched
    trees = cKDTree(points), cKDTree(others)
    if trees[0].count_neighbors(trees[1], reach + 1) > _BIPARTITE_PAIRS:
        raise UserError(
            f"matching 'bipartite' has more than {_BIPARTITE_PAIRS} pairs of "
            f"pixels within {tolerance}; use a smaller tolerance or 'nearest'"
        )
    near = trees[0].sparse_distance_matrix(
        trees[1], reach + 1, output_type="ndarray"
    )
    squared = ((points[near["i"]] - others[near["j"]]) ** 2).sum(axis=1)
    near = near[tolerance.meets(squared, shape)]
    graph = csr_array(
        (np.ones(len(near), bool), (near["i"], near["j"])),
        shape=(len(points), len(others)),
    )
    partners = maximum_bipartite_matching(graph, perm_type="column")
    matched[0][:] = partners >= 0
    matched[1][partners[partners >= 0]] = True
    return matched


def _one_class_a_pixel(points):
    """Whether the places are distinct, given that such ones are in order."""
    return (points[1][1:] > points[1][:-1]).all()


def _look_around(points, others, shape, reach):
    """`squared_distances` up to `_NEAR`, by looking from each point.

    Offsets come from near to far, so that the first hit is the nearest.
    """
    width = shape[1] + 2 * _NEAR
    grid = np.full((shape[0] + 2 * _NEAR) * width, -1, others[0].dtype)

    def place(positions):
        row, column = np.divmod(positions, shape[1])
        return (row + _NEAR) * width + column + _NEAR

    grid[place(others[1])] = others[0]
    squared = np.full(len(points[0]), np.inf)
    wanted, places = points[0], place(points[1])
    todo = np.arange(len(places))
    steps = range(-_NEAR, _NEAR + 1)
    offsets = sorted(
        (y * y + x * x, y * width + x) for y in steps for x in steps
    )
    for distance, offset in offsets:
        if distance > min(reach, _NEAR) ** 2:
            break
        hit = grid[places + offset] == wanted
        squared[todo[hit]] = distance
        wanted, places, todo = wanted[~hit], places[~hit], todo[~hit]
    return squared


def _search(points, others, shape, reach, chessboard):
    """`squared_distances` by a tree of the others."""
    squared = np.full(len(points[0]), np.inf)
    if not (len(points[0]) and len(others[0])):
        return squared
    points, others = _spread(shape, reach, points, others)
    # Splitting at the middle, not the median, builds as good a tree here.
    tree = cKDTree(others, balanced_tree=False)
    # A little over, since the tree's bound is strict and rounded.
    _, nearest = tree.query(
        points,
        p=math.inf if chessboard else 2,
        distance_upper_bound=reach + 1,
    )
    found = nearest < len(others)
    # From integer coordinates: ties with the tolerance are exact.
    offsets = (points[found] - others[nearest[found]]) ** 2
    squared[found] = offsets.max(axis=1) if chessboard else offsets.sum(axis=1)
    return squared


def _spread(shape, reach, *sides):
    """Rows and columns, with the classes too far apart to meet.

    One search then serves all classes.
    """
    stride = shape[1] + math.ceil(reach) + 2
    for classes, places in sides:
        row, column = np.divmod(places, shape[1])
        column = column + classes.astype(np.int64) * stride
        yield np.stack([row, column], axis=1)

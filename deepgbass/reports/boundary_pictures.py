"""Pictures of the errors at the boundaries of a prediction (Fig. 5).

They colour the pixels that the boundary F1 score counts. Labels are class ids
`(height, width)`, what is drawn is uint8 RGB `(height, width, 3)`.
"""

import numpy as np

from deepgbass.metrics.boundaries import boundary_pixels
from deepgbass.metrics.boundary_rule import DEFAULT
from deepgbass.reports.visualize import (
    IGNORED,
    as_picture,
    line_width,
    require_same_size,
    thicken,
)

BOUNDARY_COLORS = {
    "found": (38, 194, 112),
    "missed": (255, 66, 54),
    "false": (70, 160, 255),
    "wrong class": (240, 90, 230),
    "ignored": (78, 78, 84),
}
"""Meaning -> colour of `boundary_errors`."""


def boundary_errors(
    label, prediction, image=None, tolerance=DEFAULT, ignore_label=255
):
    """Shows where predicted class boundaries fail.

    Exactly the pixels that the boundary F1 score counts are coloured, over
    the dimmed image: true boundaries that the prediction has (green) or
    misses (red), predicted ones that the truth lacks (blue), and where both
    have a boundary at the same pixel but between other classes, magenta.
    Errors are drawn thicker than the rest. Ignored pixels are hatched.

    Args:
        label: integer array `(height, width)`, the truth.
        prediction: integer array `(height, width)`.
        image: array `(height, width, 3)`, 0..255, to draw on; None: grey.
        tolerance: `deepgbass.metrics.boundary_rule.Tolerance`; by default
            0.75 % of the diagonal.
        ignore_label: id in `label` of pixels that do not count.

    Returns:
        uint8 array `(height, width, 3)`. `BOUNDARY_COLORS` is its legend.

    Raises:
        UserError: the sizes differ.
    """
    label, prediction = np.asarray(label), np.asarray(prediction)
    require_same_size(prediction, label, "prediction", "label")
    if image is None:
        grey = np.full(label.shape, 48.0)
    else:
        image = as_picture(image)
        require_same_size(label, image, "label", "image")
        grey = 20 + 0.4 * (image @ np.array([0.299, 0.587, 0.114]))
    picture = np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=-1)

    ignored = label == ignore_label
    rows, columns = np.indices(label.shape, sparse=True)
    picture[ignored] = IGNORED
    picture[ignored & ((rows + columns) % 8 < 2)] = BOUNDARY_COLORS["ignored"]

    found, missed, false = boundary_matches(
        label, prediction, tolerance, ignore_label
    )
    both = missed & false
    width = line_width(label.shape)
    for name, mask, thickness in (
        ("found", found, (width + 1) // 2),
        ("false", false & ~both, width),
        ("missed", missed & ~both, width),
        ("wrong class", both, width),
    ):
        picture[thicken(mask, thickness) & ~ignored] = BOUNDARY_COLORS[name]
    return picture


def boundary_matches(label, prediction, tolerance=DEFAULT, ignore_label=255):
    """Sorts the boundary pixels that the F1 score counts by what they are.

    Args:
        label: integer array `(height, width)`, the truth.
        prediction: integer array `(height, width)`.
        tolerance: `deepgbass.metrics.boundary_rule.Tolerance`.
        ignore_label: id in `label` of pixels that do not count.

    Returns:
        Three boolean arrays `(height, width)`: true boundary pixels that
        have a predicted one of their class within the tolerance, true ones
        that have none, and predicted ones that have no true one.
    """
    ignored = label == ignore_label
    truth, guess = (np.where(ignored, -1, m) for m in (label, prediction))
    true_edge, guessed_edge = (
        boundary_pixels(m) & ~ignored for m in (truth, guess)
    )
    found, missed, false = (np.zeros(label.shape, bool) for _ in range(3))
    for index in np.union1d(truth[true_edge], guess[guessed_edge]):
        true = np.argwhere(true_edge & (truth == index))
        guessed = np.argwhere(guessed_edge & (guess == index))
        recalled = _met(true, guessed, tolerance, label.shape)
        precise = _met(guessed, true, tolerance, label.shape)
        found[tuple(true[recalled].T)] = True
        missed[tuple(true[~recalled].T)] = True
        false[tuple(guessed[~precise].T)] = True
    return found, missed, false


def _met(points, others, tolerance, shape):
    """Which of the points have one of the others within the tolerance."""
    if not (len(points) and len(others)):
        return np.zeros(len(points), bool)
    # Not at import: overlays are also drawn on devices without SciPy.
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(others).query(points)
    squared = ((points - others[nearest]) ** 2).sum(axis=1)
    return tolerance.meets(squared, shape)

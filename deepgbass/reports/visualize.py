"""Pictures of labels, predictions and the errors at their boundaries.

Functions of NumPy arrays without TensorFlow, so that they also serve where
only the exported model runs; only those of errors need SciPy. Images are RGB
`(height, width, 3)` with values 0..255, labels are class ids
`(height, width)`; what is drawn is uint8 RGB.
"""

import numpy as np
from PIL import Image

from deepgbass.errors import UserError
from deepgbass.files import atomic_path
from deepgbass.metrics.boundaries import boundary_pixels
from deepgbass.metrics.boundary_rule import DEFAULT

BOUNDARY_COLORS = {
    "found": (38, 194, 112),
    "missed": (255, 66, 54),
    "false": (70, 160, 255),
    "wrong class": (240, 90, 230),
    "ignored": (78, 78, 84),
}
"""Meaning -> colour of `boundary_errors`."""

IGNORED = (38, 38, 42)
BORDER = (255, 255, 255)
# Pixels between two pictures side by side.
_GAP = 8


def colorize(label, colors, ignore_label=255):
    """Paints every class in its colour.

    Args:
        label: integer array `(height, width)`.
        colors: `(classes, 3)` RGB, 0..255.
        ignore_label: id that is painted in a neutral dark.

    Returns:
        uint8 array `(height, width, 3)`.

    Raises:
        UserError: an id has no colour.
    """
    label, colors = np.asarray(label), np.asarray(colors, np.uint8)
    ignored = label == ignore_label
    unknown = label[~ignored & ((label < 0) | (label >= len(colors)))]
    if unknown.size:
        raise UserError(
            f"label has the id {unknown[0]} but colors has {len(colors)} "
            f"entries; ids must be 0..{len(colors) - 1} or {ignore_label}"
        )
    picture = colors[np.where(ignored, 0, label)]
    picture[ignored] = IGNORED
    return picture


def overlay(image, label, colors, alpha=0.55, ignore_label=255):
    """Blends the class colours over the image; ignored pixels stay as is.

    Args:
        image: array `(height, width, 3)`, 0..255.
        label: integer array `(height, width)`.
        colors: `(classes, 3)` RGB, 0..255.
        alpha: share of the class colour, 0..1.
        ignore_label: id that is left transparent.

    Returns:
        uint8 array `(height, width, 3)`.

    Raises:
        UserError: the sizes differ or an id has no colour.
    """
    image = _as_picture(image)
    _require_same_size(label, image, "label", "image")
    painted = colorize(label, colors, ignore_label)
    weight = np.where(np.asarray(label) == ignore_label, 0.0, alpha)[..., None]
    return np.rint(image * (1 - weight) + painted * weight).astype(np.uint8)


def draw_borders(picture, label):
    """Draws the lines between classes, in both of them.

    Args:
        picture: uint8 `(height, width, 3)`.
        label: integer array `(height, width)`.

    Returns:
        uint8 array `(height, width, 3)`, a copy. Lines are two pixels wide,
        more in large pictures.

    Raises:
        UserError: the sizes differ.
    """
    _require_same_size(label, picture, "label", "picture")
    lines = boundary_pixels(label, frame=False)
    drawn = picture.copy()
    drawn[_thicken(lines, (_line_width(label.shape) + 1) // 2)] = BORDER
    return drawn


def side_by_side(left, right):
    """Two pictures `(height, width, 3)` of one size in one, with a gap."""
    _require_same_size(left, right, "left", "right")
    gap = np.full((len(left), _GAP, 3), IGNORED, np.uint8)
    return np.concatenate([left, gap, right], axis=1)


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
    _require_same_size(prediction, label, "prediction", "label")
    if image is None:
        grey = np.full(label.shape, 48.0)
    else:
        image = _as_picture(image)
        _require_same_size(label, image, "label", "image")
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
    width = _line_width(label.shape)
    for name, mask, thickness in (
        ("found", found, (width + 1) // 2),
        ("false", false & ~both, width),
        ("missed", missed & ~both, width),
        ("wrong class", both, width),
    ):
        picture[_thicken(mask, thickness) & ~ignored] = BOUNDARY_COLORS[name]
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


def enlarge(picture, least_width=320):
    """Repeats pixels by the greatest whole factor within `least_width`."""
    factor = max(1, least_width // picture.shape[1])
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def shrink(picture, longest):
    """Averages areas so that the longer side is at most `longest` pixels.

    Args:
        picture: uint8 `(height, width, 3)`.
        longest: pixels.

    Returns:
        uint8 array; the picture itself where it fits already.
    """
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return picture
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    image = Image.fromarray(picture).resize(size, Image.Resampling.BOX)
    return np.asarray(image)


def save_png(path, array):
    """Writes uint8 `(height, width)` or `(height, width, 3)`, atomically."""
    with atomic_path(path) as temporary:
        Image.fromarray(np.asarray(array)).save(temporary, format="PNG")


def _as_picture(image):
    """An RGB image of any number type as uint8."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3:
        raise UserError(
            f"image has the shape {image.shape}; it must be RGB, "
            "(height, width, 3) with values 0..255"
        )
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def _require_same_size(array, reference, name, reference_name):
    if array.shape[:2] != reference.shape[:2]:
        raise UserError(
            f"{name} has the size {array.shape[:2]} but {reference_name} has "
            f"{reference.shape[:2]}; they must cover the same pixels"
        )


def _met(points, others, tolerance, shape):
    """Which of the points have one of the others within the tolerance."""
    if not (len(points) and len(others)):
        return np.zeros(len(points), bool)
    # Not at import: overlays are also drawn on devices without SciPy.
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(others).query(points)
    squared = ((points - others[nearest]) ** 2).sum(axis=1)
    return tolerance.meets(squared, shape)


def _line_width(shape):
    """Pixels of a line that stands out in a picture of this size."""
    return max(1, round(min(shape) / 180))


def _thicken(mask, width):
    """`mask` grown to lines of `width` pixels, inside the frame."""
    before = (width - 1) // 2
    height, columns = mask.shape
    padded = np.pad(mask, (width - 1 - before, before))
    grown = np.zeros_like(mask)
    for y in range(width):
        for x in range(width):
            grown |= padded[y : y + height, x : x + columns]
    return grown

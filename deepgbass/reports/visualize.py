"""Pictures of labels and predictions.

Functions of NumPy arrays without TensorFlow and SciPy, so that they also serve
where only the exported model runs. Images are RGB `(height, width, 3)` with
values 0..255, labels are class ids `(height, width)`; what is drawn is uint8
RGB.
"""

import numpy as np
from PIL import Image

from deepgbass.errors import UserError
from deepgbass.files import atomic_path
from deepgbass.metrics.boundaries import boundary_pixels

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
    image = as_picture(image)
    require_same_size(label, image, "label", "image")
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
    require_same_size(label, picture, "label", "picture")
    lines = boundary_pixels(label, frame=False)
    drawn = picture.copy()
    drawn[thicken(lines, (line_width(label.shape) + 1) // 2)] = BORDER
    return drawn


def side_by_side(left, right):
    """Two pictures `(height, width, 3)` of one size in one, with a gap."""
    require_same_size(left, right, "left", "right")
    gap = np.full((len(left), _GAP, 3), IGNORED, np.uint8)
    return np.concatenate([left, gap, right], axis=1)


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


def as_picture(image):
    """An RGB image of any number type as uint8.

    Args:
        image: array `(height, width, 3)`; values are clipped to 0..255.

    Raises:
        UserError: it has another shape.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3:
        raise UserError(
            f"image has the shape {image.shape}; it must be RGB, "
            "(height, width, 3) with values 0..255"
        )
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def require_same_size(array, reference, name, reference_name):
    """Makes sure that two arrays `(height, width, ...)` cover the same pixels.

    Raises:
        UserError: they do not; it calls them by the names given.
    """
    if array.shape[:2] != reference.shape[:2]:
        raise UserError(
            f"{name} has the size {array.shape[:2]} but {reference_name} has "
            f"{reference.shape[:2]}; they must cover the same pixels"
        )


def line_width(shape):
    """Pixels of a line that stands out in a picture `(height, width)`."""
    return max(1, round(min(shape) / 180))


def thicken(mask, width):
    """A mask grown to lines of some width, inside the frame.

    Args:
        mask: boolean `(height, width)`.
        width: pixels; 1 leaves the mask as it is.

    Returns:
        boolean `(height, width)`.
    """
    before = (width - 1) // 2
    height, columns = mask.shape
    padded = np.pad(mask, (width - 1 - before, before))
    grown = np.zeros_like(mask)
    for y in range(width):
        for x in range(width):
            grown |= padded[y : y + height, x : x + columns]
    return grown

"""Fits images of any size into the one input size of a network.

With NumPy and Pillow alone, so that a device does as training did.
"""

import numpy as np
from PIL import Image

from deepgbass.data.dataset_info import IGNORE_LABEL

# The grey around an image that is smaller than the input, as a byte.
PADDING = 128


def letterbox(image, size, longer_side=None):
    """Fits an image into a network's input without changing its aspect.

    Args:
        image: uint8 array `(height, width, 3)`.
        size: (height, width) of the network's input in pixels.
        longer_side: None to keep the size of images that fit, or pixels that
            the longer side of every image gets where `size` has room: the
            rule of `DataConfig.resize_longer_side`.

    Returns:
        (uint8 array `(*size, 3)`, (height, width) of the image's part of it,
        at the top left).
    """
    height, width = image.shape[:2]
    wanted = 1.0 if longer_side is None else longer_side / max(height, width)
    scale = min(wanted, size[0] / height, size[1] / width)
    content = (
        min(max(round(height * scale), 1), size[0]),
        min(max(round(width * scale), 1), size[1]),
    )
    if content != (height, width):
        resized = Image.fromarray(image).resize(
            content[::-1], Image.Resampling.BILINEAR
        )
        image = np.asarray(resized)
    padded = np.full((*size, 3), PADDING, np.uint8)
    padded[: content[0], : content[1]] = image
    return padded, content


def fit_label(label, size, content):
    """A label map at its image's place in the network's input.

    Args:
        label: integers `(height, width)`.
        size: (height, width) of the network's input.
        content: (height, width) of the image's part of it, top left.

    Returns:
        int32 array `size`; padding is ignored.
    """
    fitted = np.full(size, IGNORE_LABEL, np.int32)
    resized = Image.fromarray(label.astype(np.uint8)).resize(
        content[::-1], Image.Resampling.NEAREST
    )
    fitted[: content[0], : content[1]] = resized
    return fitted

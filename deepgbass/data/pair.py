"""An image and its label, as files: whether they can be decoded and fit.

Most failures of segmentation training begin in the data: label ids outside
the classes, colours instead of ids, files cut short.
"""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from deepgbass.data import decoding
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError

# Color types of the PNG specification that are no class ids.
_NOT_IDS = {
    2: "the label is RGB-coded (3 channels), not class ids in one channel",
    3: "the label is a palette PNG, which TensorFlow reads as colours",
    4: "the label has an alpha channel",
    6: "the label is RGB-coded (4 channels), not class ids in one channel",
}


class BadPair(UserError):
    """What is wrong with an image or its label, without a file name.

    Attributes:
        kind: "image", "label", "coding" (the label is no map of 8-bit ids),
            "size" or "ids".
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def check_pair(image: bytes, label: bytes, info: DatasetInfo) -> np.ndarray:
    """Checks an encoded image and its encoded label.

    Args:
        image: A JPEG, PNG or BMP file.
        label: A PNG file.
        info: Says which ids are allowed.

    Returns:
        The number of pixels of each stored id, int64 `(256,)`.

    Raises:
        BadPair: What is wrong.
    """
    _, ids = decode_pair(image, label)
    return count_ids(ids, info)


def decode_pair(image: bytes, label: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Decodes an image and its label, and makes sure that they fit.

    Args:
        image: A JPEG, PNG or BMP file.
        label: A PNG file.

    Returns:
        RGB, uint8 `(height, width, 3)`, and stored ids, uint8
        `(height, width)`.

    Raises:
        BadPair: What is wrong.
    """
    header = decoding.png_header(label)
    if header is None:
        raise BadPair("label", "the label is not a PNG")
    if header.color_type in _NOT_IDS:
        raise BadPair("coding", _NOT_IDS[header.color_type])
    if header.bit_depth != 8:
        raise BadPair("coding", f"the label has {header.bit_depth} bits, not 8")
    if decoding.image_format(image) is None:
        raise BadPair("image", "the image is not a JPEG, PNG or BMP")
    try:
        pixels = decoding.decode_image(image).numpy()
    except tf.errors.OpError as error:
        raise BadPair("image", "the image cannot be decoded") from error
    if _is_palette_bmp(image, pixels):
        raise BadPair("image", "the image is a palette BMP, save it as PNG")
    try:
        ids = decoding.decode_label(label).numpy()
    except tf.errors.OpError as error:
        raise BadPair("label", "the label cannot be decoded") from error
    if pixels.shape[:2] != ids.shape:
        raise BadPair(
            "size",
            "the image is {}x{}, the label {}x{} (height x width)".format(
                *pixels.shape[:2], *ids.shape
            ),
        )
    return pixels, ids


def count_ids(ids: np.ndarray, info: DatasetInfo) -> np.ndarray:
    """The number of pixels of each stored id, int64 `(256,)`.

    Args:
        ids: uint8 `(height, width)`.
        info: Says which ids are allowed.

    Raises:
        BadPair: There are other ids.
    """
    flat = ids.ravel()
    # In parts, because NumPy widens what it counts to 64 bits.
    counts = sum(
        np.bincount(flat[start : start + 2**20], minlength=256)
        for start in range(0, flat.size, 2**20)
    )
    allowed = {*range(info.num_classes), info.ignore_label}
    if strange := sorted(set(np.flatnonzero(counts).tolist()) - allowed):
        shown = ", ".join(map(str, strange[:8])) + ", ..." * (len(strange) > 8)
        raise BadPair(
            "ids",
            f"label ids {shown} are neither classes (0 to "
            f"{info.num_classes - 1}) nor the ignored {info.ignore_label}",
        )
    return counts


def _is_palette_bmp(image, pixels):
    """Whether TensorFlow took the palette's indices for gray values."""
    if decoding.image_format(image) != "bmp":
        return False
    with Image.open(io.BytesIO(image)) as picture:
        return not np.array_equal(pixels, picture.convert("RGB"))

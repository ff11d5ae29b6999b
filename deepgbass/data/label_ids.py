"""Label files of other data sets: reading their ids and renaming them."""

import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from deepgbass.data import decoding
from deepgbass.errors import UserError

# A message lists this many ids.
_NAMED = 8


def read_file(path) -> bytes:
    """The bytes of a file.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be read: {reason}") from error


def decode_ids(encoded: bytes, place, hint: str = "") -> np.ndarray:
    """Decodes a label of one channel and 8 bits.

    Args:
        encoded: A PNG file.
        place: What a message names, for instance the path.
        hint: What a message adds if the PNG holds colours.

    Returns:
        The stored ids, uint8 `(height, width)`.

    Raises:
        UserError: Not a PNG, damaged, or its values are no ids.
    """
    header = decoding.png_header(encoded)
    if header is None:
        raise UserError(f"{place}: is not a PNG, and labels have to be")
    if header.color_type != 0:
        raise UserError(
            f"{place}: holds colours, not one channel of label ids{hint}"
        )
    if header.bit_depth != 8:
        raise UserError(f"{place}: has {header.bit_depth} bits a pixel, not 8")
    try:
        return decoding.decode_label(encoded).numpy()
    except tf.errors.OpError as error:
        raise UserError(f"{place}: cannot be decoded: damaged") from error


def map_ids(
    ids: np.ndarray, new_ids: Mapping[int, int], place, hint: str = ""
) -> np.ndarray:
    """Gives every pixel the new id of its old one.

    Args:
        ids: uint8 `(height, width)`.
        new_ids: The new id, 0..255, of every old id that may occur.
        place: What a message names, for instance the path.
        hint: What a message adds if there are other ids.

    Returns:
        uint8 `(height, width)`.

    Raises:
        UserError: Another id occurs.
    """
    found = np.flatnonzero(np.bincount(ids.ravel(), minlength=256)).tolist()
    if strange := [i for i in found if i not in new_ids]:
        more = ", ..." if len(strange) > _NAMED else ""
        raise UserError(
            f"{place}: holds the ids {', '.join(map(str, strange[:_NAMED]))}"
            f"{more}, which this data set does not have{hint}"
        )
    table = np.zeros(256, np.uint8)
    table[found] = [new_ids[i] for i in found]
    return table[ids]

"""Files of any usual kind made into what records hold.

A record holds an image that TensorFlow, and TF DeepLab with it, decodes to
upright RGB, and a label as an 8-bit gray PNG of ids. Files that are so
already are kept byte for byte; others are encoded anew as PNG, which loses
nothing.
"""

import io
import struct

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

from deepgbass.data import decoding
from deepgbass.errors import UserError

# What Pillow raises for damaged files.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    Image.DecompressionBombError,
)
_ORIENTATION = 0x0112


def encode_png(pixels: np.ndarray) -> bytes:
    """A uint8 array `(height, width)` or `(height, width, 3)` as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def is_webp(encoded: bytes) -> bool:
    """Whether the bytes begin as those of a WebP file do."""
    return encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP"


def storable_image(encoded: bytes) -> bytes:
    """An image file as records hold it.

    RGB and gray JPEGs and all PNGs are kept, unless their EXIF data turn
    them. Those, CMYK JPEGs, BMPs (TF DeepLab cannot read them) and WebPs
    become upright RGB PNGs. A damaged JPEG or PNG is kept, for
    `pair.check_pair` to report.

    Raises:
        UserError: It is empty, of another kind, or cannot be decoded; the
            message names no file.
    """
    kind = decoding.image_format(encoded)
    if not encoded:
        raise UserError("the file is empty")
    if kind is None and not is_webp(encoded):
        raise UserError("the image is not a JPEG, PNG, BMP or WebP")
    # Pillow decodes a whole PNG in search of EXIF data.
    if kind == "png" and b"eXIf" not in encoded:
        return encoded
    try:
        picture = Image.open(io.BytesIO(encoded))
    except _DAMAGE as error:
        if kind in ("jpeg", "png"):
            return encoded
        raise UserError("the image cannot be decoded") from error
    turned = _orientation(picture) != 1
    if kind in ("jpeg", "png") and picture.mode != "CMYK" and not turned:
        return encoded
    try:
        if turned:
            picture = ImageOps.exif_transpose(picture)
        return encode_png(np.asarray(picture.convert("RGB")))
    except _DAMAGE as error:
        raise UserError("the image cannot be decoded") from error


def storable_label(encoded: bytes) -> bytes:
    """A label file as records hold it.

    Of palette PNGs and BMPs the indices count. 16-bit gray PNGs are taken if
    their ids fit into 8 bits, lossless WebPs and BMPs if they are gray. Any
    other PNG is kept, for `pair.check_pair` to judge.

    Raises:
        UserError: It is empty, of another kind, cannot be decoded, or its
            ids do not fit into 8 bits; the message names no file.
    """
    if not encoded:
        raise UserError("the file is empty")
    header = decoding.png_header(encoded)
    try:
        if header is None:
            return encode_png(_read_other(encoded))
        if header.color_type == 3:
            # Pillow would return what it can of a damaged file.
            decoding.decode_label(encoded)
            return encode_png(np.asarray(Image.open(io.BytesIO(encoded))))
        if header.color_type == 0 and header.bit_depth == 16:
            ids = tf.io.decode_png(encoded, 1, tf.uint16).numpy()[..., 0]
            if large := np.unique(ids[ids > 255]).tolist():
                shown = ", ".join(map(str, large[:8])) + ", ..." * (
                    len(large) > 8
                )
                raise UserError(f"label ids {shown} do not fit into 8 bits")
            return encode_png(ids.astype(np.uint8))
    except UserError:
        raise
    except (*_DAMAGE, tf.errors.OpError) as error:
        raise UserError("the label cannot be decoded") from error
    return encoded


def _orientation(picture):
    try:
        return picture.getexif().get(_ORIENTATION, 1)
    except (*_DAMAGE, KeyError, TypeError):
        # EXIF data that cannot be read turn no picture.
        return 1


def _read_other(encoded):
    """The ids of a label that is no PNG."""
    if decoding.image_format(encoded) == "bmp":
        picture = Image.open(io.BytesIO(encoded))
        if picture.mode not in ("L", "P"):
            raise UserError(
                "the label is RGB-coded or has 1 bit, not class ids in 8 bits"
            )
        return np.asarray(picture)
    if not is_webp(encoded):
        raise UserError("the label is not a PNG, BMP or WebP")
    if encoded[12:16] != b"VP8L":
        raise UserError("the label is not a lossless WebP, save it as PNG")
    pixels = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))
    if (pixels != pixels[..., :1]).any():
        raise UserError(
            "the label is RGB-coded (3 channels), not class ids in one channel"
        )
    return pixels[..., 0]

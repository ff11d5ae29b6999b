"""Encoded images: what they say of themselves, and how they are decoded."""

import struct
from typing import NamedTuple

import tensorflow as tf


class PngHeader(NamedTuple):
    """What a PNG says of itself; `color_type` as in its specification."""

    width: int
    height: int
    bit_depth: int
    color_type: int


def png_header(encoded: bytes) -> PngHeader | None:
    """Reads the first chunk of a PNG; None for anything else."""
    if not encoded.startswith(b"\x89PNG\r\n\x1a\n") or len(encoded) < 26:
        return None
    return PngHeader(*struct.unpack(">IIBB", encoded[16:26]))


def image_format(encoded: bytes) -> str | None:
    """`"jpeg"`, `"png"`, `"bmp"`, or None for anything else."""
    signatures = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png", b"BM": "bmp"}
    return next(
        (f for s, f in signatures.items() if encoded.startswith(s)), None
    )


def decode_image(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes JPEG, PNG or BMP to RGB, gray expanded, alpha dropped.

    JPEGs take libjpeg's accurate transform, so that the values are Pillow's;
    TensorFlow's default differs from it by up to 15 levels.

    Returns:
        uint8 `(height, width, 3)`.
    """

    def bmp():
        image = tf.io.decode_bmp(encoded)
        gray = tf.shape(image)[2] == 1
        return tf.cond(
            gray, lambda: tf.repeat(image, 3, axis=2), lambda: image[..., :3]
        )

    image = tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, 3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.cond(
            tf.strings.substr(encoded, 0, 2) == b"BM",
            bmp,
            lambda: tf.io.decode_png(encoded, 3),
        ),
    )
    return tf.ensure_shape(image, (None, None, 3))


def decode_label(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a single-channel PNG to the stored ids, uint8 `(H, W)`."""
    return tf.io.decode_png(encoded, channels=1)[..., 0]

"""A record of TF DeepLab's schema: one image with its label, both encoded.

Records written here train in TF DeepLab, and records written for it are read
here.
"""

from typing import NamedTuple

import tensorflow as tf
from google.protobuf.message import DecodeError

from deepgbass.data import decoding
from deepgbass.errors import UserError

_FEATURES = {
    "image/encoded": tf.io.FixedLenFeature((), tf.string),
    "image/filename": tf.io.FixedLenFeature((), tf.string, default_value=""),
    "image/segmentation/class/encoded": tf.io.FixedLenFeature((), tf.string),
}


class Example(NamedTuple):
    """One image with its label, both encoded.

    Attributes:
        filename: Name that messages and predictions use.
        image: A JPEG, PNG or BMP file.
        label: An 8-bit single-channel PNG file of class ids.
    """

    filename: str
    image: bytes
    label: bytes


def serialize_example(example: Example) -> bytes:
    """The bytes of one record; equal examples give equal bytes.

    Raises:
        UserError: The label is no PNG, or the image of no known format.
    """
    header = decoding.png_header(example.label)
    values = {
        "image/encoded": example.image,
        # Linux allows file names that are not UTF-8.
        "image/filename": example.filename.encode(errors="surrogateescape"),
        "image/format": decoding.image_format(example.image).encode(),
        "image/height": header.height,
        "image/width": header.width,
        "image/channels": 3,
        "image/segmentation/class/encoded": example.label,
        "image/segmentation/class/format": b"png",
    }
    features = {
        key: tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        if isinstance(value, int)
        else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in values.items()
    }
    record = tf.train.Example(features=tf.train.Features(feature=features))
    return record.SerializeToString(deterministic=True)


def deserialize_example(payload: bytes) -> Example:
    """The example of one record, in plain Python.

    A name that is not UTF-8 is for messages alone: what cannot be decoded in
    it is replaced.

    Raises:
        UserError: The bytes are no record of this schema.
    """
    try:
        record = tf.train.Example.FromString(payload)
    except DecodeError as error:
        raise UserError("not a tf.train.Example") from error
    values = []
    for key in _FEATURES:
        value = record.features.feature[key].bytes_list.value
        if not value and key != "image/filename":
            raise UserError(f"no feature {key}, want TF DeepLab's schema")
        values.append(value[0] if value else b"")
    image, filename, label = values
    return Example(filename.decode(errors="replace"), image, label)


def parse_features(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """The encoded files of one record.

    Args:
        serialized: Scalar string.

    Returns:
        `image`, `label` and `filename`, scalar strings.

    Raises:
        tf.errors.InvalidArgumentError: It is no record of this schema.
    """
    features = tf.io.parse_single_example(serialized, _FEATURES)
    return {
        "image": features["image/encoded"],
        "label": features["image/segmentation/class/encoded"],
        "filename": features["image/filename"],
    }


def parse_example(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Decodes one record.

    Args:
        serialized: Scalar string.

    Returns:
        `image` uint8 `(height, width, 3)` RGB, `label` uint8
        `(height, width)` with the ids as stored, `filename` scalar string.
    """
    features = parse_features(serialized)
    return {
        "image": decoding.decode_image(features["image"]),
        "label": decoding.decode_label(features["label"]),
        "filename": features["filename"],
    }

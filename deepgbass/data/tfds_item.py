"""The records of a set that TensorFlow Datasets has prepared, one by one."""

import dataclasses
import pathlib

import tensorflow as tf
from google.protobuf.message import DecodeError

from deepgbass.data import decoding, tfrecord
from deepgbass.data.encoding import encode_png
from deepgbass.data.label_ids import decode_ids, map_ids
from deepgbass.data.record import Example
from deepgbass.errors import UserError


@dataclasses.dataclass(frozen=True)
class TfdsItem:
    """One record, as `source.Item`.

    Attributes:
        name: Split and number of the record.
        files: The TFRecord file that it is in.
        offset: First byte of the record's payload in that file.
        length: Bytes of the payload.
        image_key: Name of the image among the record's features.
        label_key: Name of the label.
        new_ids: Pairs of a stored id and the id that it becomes.
    """

    name: str
    files: tuple[pathlib.Path]
    offset: int
    length: int
    image_key: str
    label_key: str
    new_ids: tuple[tuple[int, int], ...]

    def read(self) -> Example:
        """The image as it is stored and the label in final ids.

        Raises:
            UserError: The file is damaged or the label holds other ids.
        """
        (path,) = self.files
        place = f"{path}, {self.name}"
        try:
            payload = tfrecord.read_payload(path, self.offset, self.length)
            features = tf.train.Example.FromString(payload).features.feature
            (image,) = features[self.image_key].bytes_list.value
            (label,) = features[self.label_key].bytes_list.value
        except OSError as error:
            raise UserError(
                f"{path}: cannot be read: {error.strerror}"
            ) from error
        except (DecodeError, ValueError) as error:
            raise UserError(
                f"{place}: holds no {self.image_key} and {self.label_key}: "
                "damaged; prepare it again"
            ) from error
        ids = map_ids(
            decode_ids(label, place),
            dict(self.new_ids),
            place,
            " (class_names, label_offset and ignore say which it has)",
        )
        return Example(self.name, _storable(image, place), encode_png(ids))


def find_items(split, paths, image_key, label_key, new_ids):
    """The records of a split, in the order of their files.

    Args:
        split: Its name.
        paths: Its TFRecord files.
        image_key, label_key, new_ids: As `TfdsItem`; `new_ids` as a mapping.

    Returns:
        Tuple of `TfdsItem`.
    """
    pairs = tuple(new_ids.items())
    rows = zip(*tfrecord.index_records(paths), strict=True)
    return tuple(
        TfdsItem(
            f"{split}-{number:06d}",
            (paths[file],),
            int(offset),
            int(length),
            image_key,
            label_key,
            pairs,
        )
        for number, (file, offset, length) in enumerate(rows)
    )


def _storable(image, place):
    """JPEG and PNG as they are, the other kinds that TFDS takes as PNG."""
    if decoding.image_format(image) in ("jpeg", "png"):
        return image
    try:
        pixels = tf.io.decode_image(image, 3, expand_animations=False)
    except tf.errors.OpError as error:
        raise UserError(f"{place}: the image cannot be decoded") from error
    return encode_png(pixels.numpy())

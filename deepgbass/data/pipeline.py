"""From TFRecords to batches.

Training order and augmentation are functions of (seed, counter) alone, where
the counter numbers the images a run has seen. So a run continued at step k
sees what an uninterrupted one would, the parallelism changes nothing, every
image comes once an epoch, and no shuffle buffer fills the memory: a record
is read by its offset when its turn comes.
"""

import dataclasses
import os

import numpy as np
import tensorflow as tf

from deepgbass.data import augment, decoding, tfrecord
from deepgbass.data.dataset_info import IGNORE_LABEL, DatasetInfo
from deepgbass.errors import UserError


@dataclasses.dataclass(frozen=True)
class SegmentationDataset:
    """One split of a data set on disk; `len()` is its number of images.

    Attributes:
        info: Description of the data set.
        data_dir: Its directory.
        split: Name of the split.
        paths: The shards in order.
        sizes: Bytes of the shards.
        records: Where the records lie in them.
    """

    info: DatasetInfo
    data_dir: str
    split: str
    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    records: tfrecord.RecordIndex

    def __len__(self):
        return len(self.records.file)

    def examples(self, indices=None):
        """Iterates over the images at their own sizes.

        Args:
            indices: Which images, in which order. Default: all, as stored.

        Yields:
            Dicts of NumPy arrays: `image` uint8 `(height, width, 3)` RGB,
            `label` int32 `(height, width)` with `IGNORE_LABEL`, and
            `filename`, a str (bytes that are not UTF-8 are replaced).
        """
        if indices is None:
            indices = range(len(self))

        def parse(index):
            example = tfrecord.parse_example(self.read(index))
            label = to_memory_label(example["label"], self.info.ignore_label)
            return example | {"label": tf.cast(label, tf.int32)}

        data = tf.data.Dataset.from_tensor_slices(np.array(indices, np.int64))
        data = data.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        for example in data.prefetch(2).as_numpy_iterator():
            name = example["filename"].decode(errors="replace")
            yield example | {"filename": name}

    def read(self, index: tf.Tensor) -> tf.Tensor:
        """The serialized record of an image, read by its place.

        In TensorFlow alone: a Python function would need the interpreter's
        lock, which the thread that ends an iteration holds while it waits
        for the reads under way, for ever.
        """
        file = tf.gather(tf.constant(self.records.file), index)
        offset = tf.gather(tf.constant(self.records.offset), index)
        length = tf.gather(tf.constant(self.records.length), index)
        size = tf.gather(tf.constant(self.sizes, tf.int64), file)
        # The one record of the given length that is left between the parts
        # before and after it.
        record = tf.data.FixedLengthRecordDataset(
            tf.gather(tf.constant(self.paths), file),
            length,
            header_bytes=offset,
            footer_bytes=size - offset - length,
            buffer_size=length,
        )
        return record.get_single_element()


def load_dataset(data_dir, split: str) -> SegmentationDataset:
    """Opens one split of a data set.

    Only the framing of the records is read here; `verify.verify_split` looks
    into them.

    Args:
        data_dir: Directory with `dataset.json` and TFRecords.
        split: Name of the split, such as `"train"`.

    Raises:
        UserError: Directory, description or shards are missing, a shard is
            truncated, or the split is empty or not as long as described.
    """
    paths = tfrecord.list_shards(data_dir, split)
    info = DatasetInfo.load(data_dir)
    records = tfrecord.index_records(paths)
    found, expected = len(records.file), info.splits.get(split)
    if not found:
        raise UserError(f"{data_dir}: the split {split!r} is empty")
    if expected not in (None, found):
        raise UserError(
            f"{data_dir}: {found} records in the split {split!r}, but "
            f"dataset.json says {expected}: convert it again"
        )
    sizes = tuple(os.path.getsize(path) for path in paths)
    return SegmentationDataset(
        info, str(data_dir), split, tuple(paths), sizes, records
    )


def to_memory_label(label: tf.Tensor, ignore_label: int) -> tf.Tensor:
    """Replaces the stored ignored id by `IGNORE_LABEL`; keeps the dtype."""
    ignored = tf.constant(IGNORE_LABEL, label.dtype)
    return tf.where(label == ignore_label, ignored, label)


def training_batches(
    dataset: SegmentationDataset,
    *,
    crop_size,
    batch_size: int,
    seed: int,
    min_scale: float = 0.5,
    max_scale: float = 2.0,
    flip: bool = True,
    start_step: int = 0,
) -> tf.data.Dataset:
    """Endless batches of augmented crops.

    Args:
        dataset: The split to train on.
        crop_size: Height and width of the crops.
        batch_size: Crops a batch.
        seed: Fixes order and augmentation.
        min_scale: Least factor of the random scaling.
        max_scale: Greatest factor of the random scaling.
        flip: Whether to mirror every other crop.
        start_step: Batches to skip, at no cost.

    Returns:
        A data set of pairs: image float32 `(batch, height, width, 3)`,
        0..255, and label int32 `(batch, height, width)` with `IGNORE_LABEL`.
    """
    crop_size = tuple(crop_size)
    count = len(dataset)
    ranges = {"min_scale": min_scale, "max_scale": max_scale, "flip": flip}

    def make_crop(counter):
        index = _position_to_index(counter, count, seed)
        features = tfrecord.parse_features(dataset.read(index))
        label = decoding.decode_label(features["label"])
        label = to_memory_label(label, dataset.info.ignore_label)
        geometry = augment.sample_geometry(
            tf.shape(label), crop_size, tf.stack([seed, counter]), **ranges
        )
        window, origin = _decode_window(features["image"], geometry)
        image = augment.warp_image(window, origin, geometry, crop_size)
        label = augment.warp_label(label, geometry, crop_size)
        return image, tf.cast(label, tf.int32)

    data = tf.data.Dataset.counter(start=start_step * batch_size)
    data = data.map(
        make_crop, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    return data.batch(batch_size, drop_remainder=True).prefetch(2)


def _position_to_index(counter, count, seed):
    """The record of a counter: each epoch is a permutation of its own."""
    epoch, position = counter // count, counter % count
    return tf.random.experimental.index_shuffle(
        position, tf.stack([seed, epoch]), count - 1
    )


def _decode_window(encoded, geometry):
    """The image as far as the crop needs it, and where that part begins."""
    window = augment.source_window(geometry)
    # Only JPEGs can be decoded in part.
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: (
            tf.io.decode_and_crop_jpeg(
                encoded, window, 3, dct_method="INTEGER_ACCURATE"
            ),
            window[:2],
        ),
        lambda: (decoding.decode_image(encoded), tf.zeros_like(window[:2])),
    )

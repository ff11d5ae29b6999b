"""From TFRecords to batches.

Training order and augmentation are functions of (seed, counter) alone, where
the counter numbers the images a run has seen. So a run continued at step k
sees what an uninterrupted one would, the parallelism changes nothing, every
image comes once an epoch, and no shuffle buffer fills the memory: a record
is read by its offset when its turn comes. Workers share a run by its counter:
each takes its own rows of every batch.
"""

import dataclasses
import os

import numpy as np
import tensorflow as tf

from deepgbass.configs import DataConfig
from deepgbass.data import crops, decoding, tfrecord
from deepgbass.data.dataset_info import IGNORE_LABEL, DatasetInfo
from deepgbass.data.manifest import check_shards
from deepgbass.data.record import parse_example, parse_features
from deepgbass.errors import UserError

# Fixed: AUTOTUNE is no faster, and holds up to 8 crops a core in memory.
_PARALLEL_CALLS = os.cpu_count() or 1


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
            example = parse_example(self.read(index))
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

    Only sizes and the framing of the records are looked at here;
    `verify.verify_split` reads them.

    Args:
        data_dir: Directory with `dataset.json` and TFRecords.
        split: Name of the split, such as `"train"`.

    Raises:
        UserError: Directory, description or shards are missing, a shard is
            truncated, or the split is empty or not the one described.
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
    check_shards(info, data_dir, split)
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
    config: DataConfig,
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Endless batches of augmented crops.

    Args:
        dataset: The split to train on.
        config: How crops are taken.
        batch_size: Crops a step, over all workers and replicas.
        seed: Fixes order and augmentation.
        start_step: Steps to skip, at no cost.
        context: None for all crops of a step in one batch. With a context of
            `tf.distribute`, the batches of this worker's replicas, in turn;
            a step's batches of all workers, put together in order, are the
            batch without a context. Every worker needs the whole data set.

    Returns:
        A data set of pairs: image float32 `(batch, height, width, 3)`,
        0..255, and label int32 `(batch, height, width)` with `IGNORE_LABEL`.

    Raises:
        UserError: `batch_size` is not a multiple of the replicas, or a number
            is out of range.
    """
    context = context or tf.distribute.InputContext()
    first, rows, replica_rows = _rows_of_worker(batch_size, context)
    if start_step < 0:
        raise UserError(f"start_step is {start_step}; it must be 0 or above")
    count = len(dataset)

    def make_crop(row):
        counter = row // rows * batch_size + first + row % rows
        index = position_to_index(counter, count, seed)
        features = parse_features(dataset.read(index))
        label = decoding.decode_label(features["label"])
        label = to_memory_label(label, dataset.info.ignore_label)
        image, label = crops.random_crop(
            features["image"], label, tf.stack([seed, counter]), config
        )
        return image, tf.cast(label, tf.int32)

    data = tf.data.Dataset.counter(start=start_step * rows)
    data = data.map(
        make_crop, num_parallel_calls=_PARALLEL_CALLS, deterministic=True
    )
    return data.batch(replica_rows, drop_remainder=True).prefetch(2)


def _rows_of_worker(batch_size, context):
    """A worker's first row in a step, its rows, and those of a replica."""
    workers = context.num_input_pipelines
    replicas = context.num_replicas_in_sync
    if replicas % workers:
        raise UserError(
            f"context: {replicas} replicas for {workers} workers; every "
            "worker must have the same number, at least one"
        )
    if batch_size < 1:
        raise UserError(f"batch_size is {batch_size}; it must be 1 or above")
    if batch_size % replicas:
        raise UserError(
            f"batch_size is {batch_size}, the batch of all {replicas} "
            f"replicas on {workers} workers; it must be a multiple of "
            f"{replicas}"
        )
    rows = batch_size // workers
    return context.input_pipeline_id * rows, rows, batch_size // replicas


def position_to_index(counter, count, seed):
    """The record of a counter: each epoch is a permutation of its own."""
    epoch, position = counter // count, counter % count
    return tf.random.experimental.index_shuffle(
        position, tf.stack([seed, epoch]), count - 1
    )

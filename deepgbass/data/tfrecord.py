"""The TFRecord files of a split: written, found, and where records lie."""

import errno
import itertools
import os
import pathlib
import re
import struct
from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from deepgbass.data import dataset_info
from deepgbass.data.record import Example, serialize_example
from deepgbass.errors import UserError
from deepgbass.files import atomic_path

_SHARD_NAME = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.tfrecord")


class RecordIndex(NamedTuple):
    """Where the records of a split lie; one entry a record.

    Attributes:
        file: Position of the record's shard in the list of paths.
        offset: First byte of the record's payload in that shard.
        length: Bytes of the payload.
    """

    file: np.ndarray
    offset: np.ndarray
    length: np.ndarray


def shard_name(split: str, number: int, count: int) -> str:
    """The file name of one shard, as TF DeepLab writes it."""
    return f"{split}-{number:05d}-of-{count:05d}.tfrecord"


def write_shard(path, examples: Iterable[Example]) -> None:
    """Writes one file of records, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for example in examples:
                    writer.write(serialize_example(example))
        except tf.errors.OpError as error:
            # "FILE; No space left on device"
            reason = error.message.rpartition("; ")[2]
            raise OSError(errno.EIO, reason, str(path)) from error


def write_split(
    examples: Collection[Example], data_dir, split: str, num_shards: int
) -> None:
    """Writes examples as `SPLIT-00000-of-00004.tfrecord` and so on.

    Args:
        examples: The examples in their final order.
        data_dir: Existing directory without shards of that split.
        split: Name of the split.
        num_shards: Number of files, at most one an example is written.

    Raises:
        UserError: There are no examples.
        OSError: A file cannot be written.
    """
    source = iter(examples)
    for name, items in cut_split(split, len(examples), num_shards).items():
        write_shard(
            pathlib.Path(data_dir, name), itertools.islice(source, len(items))
        )


def cut_split(split: str, total: int, num_shards: int) -> dict[str, range]:
    """Which records go into which shard: about equally many, in order.

    Args:
        split: Name of the split.
        total: Number of records.
        num_shards: Number of files wanted; none stays empty.

    Returns:
        The positions of the records by the name of their shard.

    Raises:
        UserError: There are no records.
    """
    if not total:
        raise UserError(f"{split}: there is no image to write")
    count = min(num_shards, total)
    return {
        shard_name(split, i, count): range(
            total * i // count, total * (i + 1) // count
        )
        for i in range(count)
    }


def find_shards(data_dir) -> dict[str, list[pathlib.Path]]:
    """The shards in a directory by split, sorted; whole or not."""
    shards = {}
    for path in sorted(pathlib.Path(data_dir).iterdir()):
        if match := _SHARD_NAME.fullmatch(path.name):
            shards.setdefault(match[1], []).append(path)
    return shards


def list_shards(data_dir, split: str) -> list[str]:
    """The paths of all shards of a split, in order.

    Raises:
        UserError: The directory is missing, the split has no shards (the
            message says which splits exist), or some of its shards are
            missing.
    """
    if not os.path.isdir(data_dir):
        raise UserError(f"{data_dir}: no such directory")
    shards = find_shards(data_dir)
    if dataset_info.is_unfinished(data_dir):
        raise UserError(
            f"{data_dir}: a conversion did not finish here, run it again"
        )
    if split not in shards:
        there = ", ".join(sorted(shards)) or "none at all"
        raise UserError(
            f"{data_dir}: no shards of the split {split!r}; there: {there}"
        )
    paths = shards[split]
    counts = {int(_SHARD_NAME.fullmatch(path.name)[3]) for path in paths}
    if len(counts) > 1:
        raise UserError(
            f"{data_dir}: shards of two different sets of {split!r} "
            f"(of {min(counts)} and of {max(counts)}): convert it again"
        )
    (count,) = counts
    expected = [shard_name(split, i, count) for i in range(count)]
    names = {path.name for path in paths}
    if missing := [name for name in expected if name not in names]:
        raise UserError(
            f"{data_dir}: {missing[0]} is missing ({len(missing)} of {count} "
            f"shards of {split!r} are): convert it again"
        )
    return [str(pathlib.Path(data_dir, name)) for name in expected]


def index_records(paths) -> RecordIndex:
    """Finds the records of some shards by walking the TFRecord framing.

    A record is 8 bytes of payload length, 4 of its checksum, the payload, 4
    of the payload's checksum. Only the lengths are read.

    Args:
        paths: Shards in order.

    Returns:
        Arrays of shape `(records,)`, dtype int64, in order.

    Raises:
        UserError: A file ends within a record or cannot be read.
    """
    rows = []
    for number, path in enumerate(paths):
        try:
            with open(path, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                start = 0
                while start < size:
                    file.seek(start)
                    head = file.read(12)
                    if len(head) == 12:
                        (length,) = struct.unpack("<Q", head[:8])
                        end = start + 12 + length + 4
                    if len(head) < 12 or end > size:
                        raise UserError(
                            f"{path}: the record at byte {start} does not "
                            f"end within the file ({size} bytes): truncated "
                            "or damaged, convert it again"
                        )
                    rows.append((number, start + 12, length))
                    start = end
        except OSError as error:
            raise UserError(
                f"{path}: cannot be read: {error.strerror}"
            ) from error
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    return RecordIndex(*columns)


def read_payload(path, offset: int, length: int) -> bytes:
    """One record by its place, in one read; checksums are not looked at."""
    with open(path, "rb", buffering=0) as file:
        return os.pread(file.fileno(), length, offset)

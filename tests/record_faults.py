"""Faults of a data set that is read, for `test_data_faults.py`."""

import dataclasses
import shutil

import tensorflow as tf
from image_files import stored

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.record import serialize_example


def flip(shard, place):
    data = bytearray(shard.read_bytes())
    data[place] ^= 4
    shard.write_bytes(data)


def without_label(shard):
    """In a set that others wrote, with a description by hand."""
    info = DatasetInfo.load(shard.parent)
    info = dataclasses.replace(info, splits={}, statistics={}, shards={})
    info.save(shard.parent)
    record = tf.train.Example()
    record.features.feature["image/encoded"].bytes_list.value.append(b"x")
    write_records(shard, record.SerializeToString())


def write_records(shard, *payloads):
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for payload in payloads:
            writer.write(payload)


def older(shard):
    """Another shard of the same size, as of an earlier conversion."""
    (example,) = stored(shard.parent, "train")[:1]
    example = example._replace(filename="z.jpg")
    write_records(shard, serialize_example(example))


def description(text):
    return lambda shard: (shard.parent / "dataset.json").write_text(text)


SHARD = "train-00000-of-00003.tfrecord"
RECORDS = {
    "truncated record": (
        lambda shard: shard.write_bytes(shard.read_bytes()[:-40]),
        f"{SHARD}: the record at byte 0 does not end within the file",
    ),
    "flipped bits": (
        lambda shard: flip(shard, 300),
        f"1 of 3 are bad: a.jpg .{SHARD}, byte 12.: the record is corrupt",
    ),
    "wrong CRC": (
        lambda shard: flip(shard, -2),
        f"1 of 3 are bad: a.jpg .{SHARD}, byte 12.: the record is corrupt",
    ),
    "flipped bit in a length": (
        lambda shard: flip(shard, 2),
        f"{SHARD}: the record at byte 0 does not end within the file",
    ),
    "empty shard": (
        lambda shard: shard.write_bytes(b""),
        "2 records in the split 'train', but dataset.json says 3",
    ),
    "missing shard": (
        lambda shard: shard.unlink(),
        f"{SHARD} is missing .1 of 3 shards of 'train' are.",
    ),
    "shards of two sets": (
        lambda shard: shutil.copy(
            shard, shard.with_name("train-00000-of-00002.tfrecord")
        ),
        "shards of two different sets of 'train' .of 2 and of 3.",
    ),
    "shard of another conversion": (
        lambda shard: shutil.copy(
            shard.with_name("train-00001-of-00003.tfrecord"), shard
        ),
        f"{SHARD}: .*dataset.json",
    ),
    "older shard of the same size": (
        older,
        f"{SHARD}: its SHA-256 is not the one in dataset.json",
    ),
    "record without label": (
        without_label,
        f"1 of 3 are bad: {SHARD}, byte 12: no feature "
        "image/segmentation/class/encoded, want TF DeepLab's schema",
    ),
    "no TFRecord": (
        lambda shard: shard.write_bytes(b"<html>404</html>" * 9),
        f"{SHARD}: the record at byte 0 does not end within the file",
    ),
    "missing dataset.json": (
        lambda shard: (shard.parent / "dataset.json").unlink(),
        "dataset.json: not found: there are TFRecords of train, val; write .*"
        '{"name": "my_set", "class_names": .*"ignore_label": 255}',
    ),
    "broken dataset.json": (
        description('{"name": "a", "class_names": ["a"'),
        "dataset.json: not JSON: .*; correct it or convert",
    ),
    "dataset.json of another program": (
        description('{"version": 3}'),
        "dataset.json: unknown key 'version'; correct it or convert",
    ),
    "conversion that did not finish": (
        lambda shard: (
            (shard.parent / "dataset.json").unlink(),
            (shard.parent / ".converting").mkdir(),
        ),
        "data: a conversion did not finish here, run it again",
    ),
}

import dataclasses
import os
import struct

import numpy as np
import pytest
import tensorflow as tf
from image_files import (
    convert_folder,
    encode,
    random_image,
    random_label,
    write_folder,
)
from PIL import Image

from deepgbass.data import tfrecord, verify
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.record import Example
from deepgbass.errors import UserError

RNG = np.random.default_rng(0)
IMAGE = random_image(RNG, 30, 40)
LABEL = random_label(RNG, 30, 40)
GOOD_IMAGE, GOOD_LABEL = encode(IMAGE, "JPEG"), encode(LABEL)


def with_pixel(value):
    label = LABEL.copy()
    label[3, 4] = value
    return encode(label)


def write_record(path, image, label):
    """A shard of one record with any bytes, as others may have written it."""
    record = tf.train.Example()
    for key, value in {
        "image/encoded": image,
        "image/filename": b"bad.jpg",
        "image/segmentation/class/encoded": label,
    }.items():
        record.features.feature[key].bytes_list.value.append(value)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(record.SerializeToString())


def write(path, examples, num_shards=1):
    DatasetInfo("set", ("a", "b", "c"), ignore_label=11).save(path)
    tfrecord.write_split(examples, path, "train", num_shards)
    return load_dataset(path, "train")


FAULTS = {
    "truncated JPEG": (GOOD_IMAGE[:-300], GOOD_LABEL, "image cannot be"),
    "truncated PNG image": (encode(IMAGE)[:-300], GOOD_LABEL, "image cannot"),
    "GIF": (encode(IMAGE, "GIF"), GOOD_LABEL, "not a JPEG, PNG or BMP"),
    "palette BMP": (
        encode(Image.fromarray(IMAGE).convert("P"), "BMP"),
        GOOD_LABEL,
        "palette BMP",
    ),
    "1-bit BMP": (
        encode(Image.fromarray(IMAGE).convert("1"), "BMP"),
        GOOD_LABEL,
        "image cannot be decoded",
    ),
    "other size": (
        GOOD_IMAGE,
        encode(LABEL[:-1]),
        "image is 30x40, the label 29x40",
    ),
    "RGB label": (GOOD_IMAGE, encode(IMAGE), r"RGB-coded \(3 channels\)"),
    "RGBA label": (
        GOOD_IMAGE,
        encode(Image.fromarray(IMAGE).convert("RGBA")),
        r"RGB-coded \(4 channels\)",
    ),
    "palette label": (
        GOOD_IMAGE,
        encode(Image.fromarray(IMAGE).convert("P")),
        "palette PNG",
    ),
    "alpha label": (
        GOOD_IMAGE,
        encode(Image.fromarray(LABEL).convert("LA")),
        "alpha",
    ),
    "16-bit label": (GOOD_IMAGE, encode(LABEL.astype(np.uint16)), "16 bits"),
    "1-bit label": (
        GOOD_IMAGE,
        encode(Image.fromarray(LABEL > 0)),
        "1 bits",
    ),
    "flipped bits": (
        GOOD_IMAGE,
        GOOD_LABEL[:90] + b"\x00\xff" + GOOD_LABEL[92:],
        "label cannot be decoded",
    ),
    "JPEG label": (GOOD_IMAGE, GOOD_IMAGE, "label is not a PNG"),
    "ids": (GOOD_IMAGE, with_pixel(3), "label ids 3 are neither"),
    "void of another set": (GOOD_IMAGE, with_pixel(255), "label ids 255 are"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_names_record_and_shard(tmp_path, fault):
    image, label, message = FAULTS[fault]
    good = Example("good", GOOD_IMAGE, GOOD_LABEL)
    write(tmp_path, [good] * 3, 3)
    shard = "train-00001-of-00003.tfrecord"
    write_record(tmp_path / shard, image, label)
    dataset = load_dataset(tmp_path, "train")
    with pytest.raises(UserError) as error:
        verify.verify_split(dataset)
    text = str(error.value)
    assert f"1 of 3 are bad: bad.jpg ({shard}" in text
    error.match(message)
    assert "\n" not in text


def test_good_split_is_counted(tmp_path):
    label = LABEL.copy()
    label[0] = 11
    example = Example("good", GOOD_IMAGE, encode(label))
    dataset = write(tmp_path, [example] * 5, 2)
    report = verify.verify_split(dataset)
    counts = np.bincount(label.ravel(), minlength=12)
    assert report.images == 5
    assert report.pixels == tuple((5 * counts[:3]).tolist())
    assert report.ignored == 5 * 40


def test_split_without_a_valid_pixel_is_refused(tmp_path):
    ignored = Example("void", GOOD_IMAGE, encode(np.full_like(LABEL, 11)))
    stamp = tmp_path / "verified.json"
    good = Example("good", GOOD_IMAGE, GOOD_LABEL)
    verify.verify_split(write(tmp_path, [ignored, good]))
    dataset = write(tmp_path, [ignored] * 2)
    for _ in range(2):
        with pytest.raises(UserError, match="'train'.*every pixel.* id 11"):
            verify.verify_split(dataset, stamp)


def test_an_ignored_class_is_no_valid_pixel(tmp_path):
    label = encode(np.ones_like(LABEL))
    dataset = write(tmp_path, [Example("one", GOOD_IMAGE, label)])
    info = DatasetInfo("set", ("a", "b", "c"), ignore_label=1)
    with pytest.raises(UserError, match="every pixel has the ignored id 1,"):
        verify.verify_split(dataclasses.replace(dataset, info=info))


def test_several_offenders_are_counted_and_the_first_named(tmp_path):
    bad = [Example(f"{i}", GOOD_IMAGE, with_pixel(7)) for i in range(40)]
    dataset = write(tmp_path, bad, 4)
    with pytest.raises(UserError, match=r"40 of 40 .*; and 37 more") as error:
        verify.verify_split(dataset)
    assert [f"{i} (train-00000" in str(error.value) for i in range(4)] == [
        True,
        True,
        True,
        False,
    ]


def test_wrong_checksum_is_found_and_the_other_shards_still_read(tmp_path):
    examples = [Example(f"n{i}", GOOD_IMAGE, GOOD_LABEL) for i in range(5)]
    examples[4] = Example("n4", GOOD_IMAGE, with_pixel(9))
    dataset = write(tmp_path, examples, 2)
    # A bit within the picture: it may well decode, but it is not what was
    # written.
    place = dataset.records.offset[1] + dataset.records.length[1] // 2
    with open(dataset.paths[0], "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(UserError) as error:
        verify.verify_split(load_dataset(tmp_path, "train"))
    error.match(r"2 of 5 are bad: n1 \(train-00000.*\): the record is corrupt")
    error.match(r"n4 \(train-00001.*label ids 9")


def described(path):
    """A split with the manifest of a conversion."""
    source = write_folder(path / "source", ["a", "b"])
    info = convert_folder(source, path / "data", num_shards=1)
    return info, load_dataset(path / "data", "train")


def test_shard_that_is_not_the_described_one_is_refused(tmp_path):
    info, dataset = described(tmp_path)
    verify.verify_split(dataset)
    (shard,) = info.shards["train"]
    shard = dataclasses.replace(shard, sha256=shard.sha256[::-1])
    info = dataclasses.replace(info, shards={"train": [shard]})
    with pytest.raises(UserError, match="its SHA-256 is not the one"):
        verify.verify_split(dataclasses.replace(dataset, info=info))


def test_pixels_that_are_not_the_described_ones_are_refused(tmp_path):
    info, dataset = described(tmp_path)
    # As after an edit by hand; class 0 is now ignored.
    info = dataclasses.replace(info, ignore_label=0)
    with pytest.raises(UserError, match="not as many as dataset.json says"):
        verify.verify_split(dataclasses.replace(dataset, info=info))


def test_stamp_does_not_hold_for_another_manifest(tmp_path):
    info, dataset = described(tmp_path)
    stamp = tmp_path / "verified.json"
    verify.verify_split(dataset, stamp)
    (shard,) = info.shards["train"]
    shard = dataclasses.replace(shard, sha256=shard.sha256[::-1])
    info = dataclasses.replace(info, shards={"train": [shard]})
    with pytest.raises(UserError, match="SHA-256"):
        verify.verify_split(dataclasses.replace(dataset, info=info), stamp)


def test_foreign_record_is_refused(tmp_path):
    DatasetInfo("set", ("a",)).save(tmp_path)
    path = tmp_path / "train-00000-of-00001.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"")
    with pytest.raises(UserError, match="no feature image/encoded"):
        verify.verify_split(load_dataset(tmp_path, "train"))


def test_stamp_saves_the_second_reading(tmp_path, monkeypatch):
    dataset = write(tmp_path, [Example("good", GOOD_IMAGE, GOOD_LABEL)] * 2)
    stamp = tmp_path / "work" / "verified.json"
    first = verify.verify_split(dataset, stamp)

    def fail(*_):
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr(verify, "check_pair", fail)
        assert verify.verify_split(dataset, stamp) == first
        with pytest.raises(AssertionError):
            verify.verify_split(dataset)


def test_stamp_does_not_hold_for_changed_data(tmp_path):
    dataset = write(tmp_path, [Example("good", GOOD_IMAGE, GOOD_LABEL)])
    stamp = tmp_path / "verified.json"
    verify.verify_split(dataset, stamp)
    # Same size, other time.
    path = dataset.paths[0]
    with open(path, "r+b") as file:
        file.seek(-30, os.SEEK_END)
        file.write(struct.pack("<Q", 0))
    os.utime(path, ns=(0, 0))
    with pytest.raises(UserError, match="corrupt"):
        verify.verify_split(load_dataset(tmp_path, "train"), stamp)


def test_stamp_does_not_hold_for_fewer_classes(tmp_path):
    dataset = write(tmp_path, [Example("good", GOOD_IMAGE, GOOD_LABEL)])
    stamp = tmp_path / "verified.json"
    verify.verify_split(dataset, stamp)
    DatasetInfo("set", ("a", "b"), ignore_label=11).save(tmp_path)
    with pytest.raises(UserError, match="label ids 2 are"):
        verify.verify_split(load_dataset(tmp_path, "train"), stamp)


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1'])
def test_spoiled_stamp_is_no_verdict(tmp_path, text):
    dataset = write(tmp_path, [Example("bad", GOOD_IMAGE, with_pixel(9))])
    stamp = tmp_path / "verified.json"
    stamp.write_text(text)
    with pytest.raises(UserError, match="label ids 9"):
        verify.verify_split(dataset, stamp)

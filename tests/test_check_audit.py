"""What an audit finds: damage, bad labels, duplicates, lack of classes."""

import dataclasses
import pathlib
import shutil

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
from record_faults import RECORDS, SHARD, flip

from deepgbass.data import audit, tfrecord
from deepgbass.data.audit import audit_dataset
from deepgbass.data.check_json import to_json
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.record import Example
from deepgbass.errors import UserError

RNG = np.random.default_rng(0)
INFO = DatasetInfo("set", ("a", "b", "c"), ignore_label=11)
IMAGE, LABEL = random_image(RNG, 30, 40), random_label(RNG, 30, 40)


def example(name, label=LABEL, image=None, kind="PNG"):
    """A record; each has an image of its own unless one is given."""
    image = random_image(RNG, 30, 40) if image is None else image
    return Example(name, encode(image, kind), encode(label))


def write_set(path, info=INFO, **splits):
    info.save(path)
    for split, examples in splits.items():
        tfrecord.write_split(examples, path, split, 1)
    return path


def found(result):
    """The findings by kind and split."""
    return {
        (problem.kind, problem.split): list(map(str, problem.findings))
        for problem in result.problems
    }


def good(result):
    return {name: len(split.good) for name, split in result.splits.items()}


def write_raw(path, image, label):
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


def test_good_set_has_no_problems_and_is_counted(tmp_path):
    label = LABEL.copy()
    label[:6] = 11
    write_set(
        tmp_path,
        train=[example("a"), example("b", label)],
        val=[example("c", kind="JPEG")],
    )
    result = audit_dataset(tmp_path)
    assert result.problems == () and result.errors == 0
    assert good(result) == {"train": 2, "val": 1}
    split = result.splits["train"]
    both = np.concatenate([LABEL, label[6:]])
    np.testing.assert_array_equal(split.pixels, np.bincount(both.ravel()))
    assert split.images.tolist() == [2, 2, 2]
    assert split.ignored_share == 6 / 60
    # One band of 6 rows at the frame, with a border on one side.
    assert split.ignored_width == pytest.approx(2 * 6, rel=0.1)
    assert split.sizes == {(30, 40): 2}
    assert [str(entry)[0] for entry in split.most_ignored(5)] == ["b"]


BAD = {
    "truncated JPEG": (encode(IMAGE, "JPEG")[:-300], encode(LABEL), "image"),
    "GIF": (encode(IMAGE, "GIF"), encode(LABEL), "image"),
    "JPEG label": (encode(IMAGE), encode(IMAGE, "JPEG"), "label"),
    "truncated label": (encode(IMAGE), encode(LABEL)[:80], "label"),
    "RGB label": (encode(IMAGE), encode(IMAGE), "coding"),
    "palette label": (
        encode(IMAGE),
        encode(Image.fromarray(IMAGE).convert("P")),
        "coding",
    ),
    "16-bit label": (encode(IMAGE), encode(LABEL.astype(np.uint16)), "coding"),
    "other size": (encode(IMAGE), encode(LABEL[1:]), "size"),
    "ids": (encode(IMAGE), encode(LABEL + np.uint8(2)), "ids"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_record_is_named_and_the_others_are_counted(tmp_path, fault):
    image, label, kind = BAD[fault]
    write_set(tmp_path, train=[example("a")])
    bad = tmp_path / "val-00000-of-00002.tfrecord"
    write_raw(bad, image, label)
    shutil.copy(
        tmp_path / "train-00000-of-00001.tfrecord",
        tmp_path / "val-00001-of-00002.tfrecord",
    )
    result = audit_dataset(tmp_path)
    findings = found(result)
    (text,) = findings.pop((kind, "val"))
    assert text.startswith(f"bad.jpg ({bad.name}, byte 0): ")
    assert [key[0] for key in findings] == ["leak"]
    assert result.errors == 1
    assert good(result) == {"train": 1, "val": 1}
    assert result.splits["val"].bad == 1


KINDS = {
    "truncated record": "damaged",
    "flipped bits": "checksum",
    "wrong CRC": "checksum",
    "flipped bit in a length": "damaged",
    "empty shard": "shards",
    "missing shard": "shards",
    "shards of two sets": "shards",
    "shard of another conversion": "shards",
    "older shard of the same size": "shards",
    "record without label": "schema",
    "no TFRecord": "damaged",
}


@pytest.fixture(scope="module")
def three_shards(tmp_path_factory):
    root = tmp_path_factory.mktemp("three")
    names = ["train/a", "train/b", "train/c", "val/a"]
    classes = {"classes": ["a", "b", "c"], "ignore_label": 7}
    source = write_folder(root / "source", names, classes)
    convert_folder(source, root / "data", num_shards=3)
    return root / "data"


@pytest.mark.parametrize("fault", RECORDS)
def test_damage_is_named_and_the_rest_is_read(tmp_path, three_shards, fault):
    spoil, message = RECORDS[fault]
    data_dir = tmp_path / "data"
    shutil.copytree(three_shards, data_dir)
    spoil(data_dir / SHARD)
    if fault not in KINDS:
        with pytest.raises(UserError, match=message.removeprefix("data: ")):
            audit_dataset(data_dir)
        return
    result = audit_dataset(data_dir)
    findings = found(result)
    texts = findings[KINDS[fault], "train"]
    assert any(SHARD in text or "of 2 and of 3" in text for text in texts)
    assert not any(str(tmp_path) in str(texts) for texts in findings.values())
    assert result.errors >= 1
    assert good(result)["train"] >= 2 and good(result)["val"] == 1


def test_records_behind_a_corrupt_one_are_read(tmp_path):
    examples = [example(f"{i}.png") for i in range(5)]
    write_set(tmp_path, train=examples)
    shard = tmp_path / "train-00000-of-00001.tfrecord"
    index = tfrecord.index_records([shard])
    flip(shard, int(index.offset[1] + index.length[1] // 2))
    flip(shard, int(index.offset[3] - 12))
    result = audit_dataset(tmp_path)
    assert found(result) == {
        ("checksum", "train"): [
            f"1.png ({shard.name}, byte {index.offset[1] - 12})"
        ],
        ("damaged", "train"): [
            f"{shard.name}: bytes {index.offset[3] - 12} to "
            f"{index.offset[4] - 13} are no records"
        ],
    }
    names = [entry.name for entry in result.splits["train"].good]
    assert names == ["0.png", "2.png", "4.png"]


def test_unreadable_shard_is_named(tmp_path):
    write_set(tmp_path, train=[example("a")], val=[example("b")])
    shard = tmp_path / "val-00000-of-00001.tfrecord"
    shard.unlink()
    shard.symlink_to(shard)
    findings = found(audit_dataset(tmp_path))
    (text,) = findings["damaged", "val"]
    assert text.startswith(f"{shard.name}: cannot be read: Too many levels")


def test_duplicates_across_splits_are_found(tmp_path):
    image = random_image(RNG, 30, 40)
    other = (LABEL + np.uint8(1)) % np.uint8(3)
    write_set(
        tmp_path,
        train=[example("a", image=image), example("b")],
        # The same pixels in another file, and the same file.
        val=[example("c", image=image, kind="BMP"), example("d")],
        test=[example("e", other, image=image)],
    )
    findings = found(audit_dataset(tmp_path))
    train, val, test = (
        f"{split}-00000-of-00001.tfrecord" for split in ("train", "val", "test")
    )
    # Without a list in dataset.json, splits come by name.
    assert findings == {
        ("leak", "train"): [
            f"a ({train}, byte 0): same file as e ({test}, byte 0) of test, "
            "with another label"
        ],
        ("leak", "val"): [
            f"c ({val}, byte 0): same pixels as e ({test}, byte 0) of test, "
            "with another label"
        ],
    }


def test_duplicates_within_a_split_are_found(tmp_path):
    twin = example("twin")
    write_set(tmp_path, train=[twin, example("a"), twin, twin])
    texts = found(audit_dataset(tmp_path))["twice", "train"]
    assert len(texts) == 2
    assert all("same file as twin (" in text for text in texts)
    assert not any("another label" in text for text in texts)


def test_image_with_a_bad_label_is_still_a_duplicate(tmp_path):
    pair = example("a")
    bad = pair._replace(filename="b", label=encode(LABEL + np.uint8(5)))
    wide = pair._replace(filename="c", label=encode(LABEL[:, 1:]))
    write_set(tmp_path, train=[pair], val=[bad], zero=[wide])
    findings = found(audit_dataset(tmp_path))
    assert len(findings["leak", "val"]) == len(findings["leak", "zero"]) == 1


def test_classes_that_are_missing_are_named(tmp_path):
    info = DatasetInfo("set", ("a", "b", "c", "never", "void"), ignore_label=4)
    some = np.where(LABEL == 2, np.uint8(0), LABEL)
    write_set(tmp_path, info, train=[example("a")], val=[example("b", some)])
    result = audit_dataset(tmp_path)
    assert found(result) == {
        ("unseen", ""): ["never"],
        ("absent", "val"): ["c: only in train"],
    }
    assert result.errors == 0


def test_labels_that_are_mostly_ignored_are_doubted(tmp_path):
    label = np.full((30, 40), 11, np.uint8)
    half = label.copy()
    half[:5], half[25:] = 1, 2
    half[12] = 0
    void, some = example("void", label), example("half", half)
    write_set(tmp_path, train=[void, some])
    findings = found(audit_dataset(tmp_path))
    assert findings["void", "train"] == [
        "void (train-00000-of-00001.tfrecord, byte 0)"
    ]
    assert findings["ignored", "train"] == ["81.7 % of the pixels"]
    assert findings["hidden", "train"] == ["100.0 % of the boundary pixels"]
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    write_set(tmp_path, train=[void])
    result = audit_dataset(tmp_path)
    assert [kind for kind, _ in found(result)] == ["nothing"]
    assert result.errors == 1


def test_counts_that_are_not_the_described_ones_are_an_error(
    tmp_path, three_shards
):
    shutil.copytree(three_shards, tmp_path / "data")
    path = tmp_path / "data" / "dataset.json"
    path.write_text(path.read_text().replace('"ignored": 0', '"ignored": 3'))
    findings = found(audit_dataset(tmp_path / "data"))
    assert findings == {
        ("counts", split): ["ignored: 0 pixels, but 3 are described"]
        for split in ("train", "val")
    }
    # A class that was named later.
    info = DatasetInfo.load(three_shards)
    names = (*info.class_names, "later")
    dataclasses.replace(info, class_names=names, colors=()).save(path.parent)
    findings = found(audit_dataset(tmp_path / "data"))
    assert findings["counts", "val"] == [
        "3 classes were counted, but 4 have names"
    ]


def test_result_depends_neither_on_workers_nor_on_the_place(tmp_path):
    one = tmp_path / "one"
    one.mkdir()
    twin = example("twin")
    bad = twin._replace(label=encode(LABEL + np.uint8(5)))
    write_set(one, train=[twin, example("a"), bad], val=[twin])
    shutil.copytree(one, tmp_path / "two")
    texts = {
        to_json(audit_dataset(tmp_path / place, workers))
        for place in ("one", "two")
        for workers in (1, 5)
    }
    (text,) = texts
    assert str(tmp_path) not in text and "twin" in text


def test_directory_without_records_is_refused(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such directory"):
        audit_dataset(tmp_path / "nowhere")
    with pytest.raises(UserError, match="dataset.json: not found: convert"):
        audit_dataset(tmp_path)
    INFO.save(tmp_path)
    with pytest.raises(UserError, match="no TFRecords beside dataset.json"):
        audit_dataset(tmp_path)


def test_each_record_is_read_once_and_none_is_kept(tmp_path, monkeypatch):
    big = random_image(RNG, 700, 1000)
    label = random_label(RNG, 700, 1000)
    pair = example("big", label, big)
    write_set(tmp_path, train=[pair] * 24)
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) > 50e6
    reads = []
    read = audit.salvage.read_record

    def counting(path, place):
        reads.append(place.start)
        return read(path, place)

    monkeypatch.setattr(audit.salvage, "read_record", counting)
    # Forgets the greatest use so far.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    audit_dataset(tmp_path, workers=1)
    assert len(reads) == len(set(reads)) == 24
    assert memory("VmHWM") - before < 40


def memory(kind):
    """This process's use of memory in MB: "VmRSS" now, "VmHWM" at most."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(kind)]
    return int(line.split()[1]) / 1024

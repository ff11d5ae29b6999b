"""The files of a split: whole or not at all, and every record found."""

import pytest
from image_files import random_examples, stored

from deepgbass.data import tfrecord
from deepgbass.data.record import serialize_example
from deepgbass.errors import UserError


def test_source_bytes_and_order_are_kept(tmp_path):
    written = random_examples(5)
    tfrecord.write_split(written, tmp_path, "train", 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "train-00000-of-00002.tfrecord",
        "train-00001-of-00002.tfrecord",
    ]
    assert stored(tmp_path, "train") == written


def test_shards_are_never_empty(tmp_path):
    tfrecord.write_split(random_examples(3), tmp_path, "train", 8)
    paths = tfrecord.list_shards(tmp_path, "train")
    assert tfrecord.index_records(paths).file.tolist() == [0, 1, 2]


def test_index_finds_each_payload(tmp_path):
    written = random_examples(7)
    tfrecord.write_split(written, tmp_path, "val", 3)
    paths = tfrecord.list_shards(tmp_path, "val")
    payloads = [
        tfrecord.read_payload(paths[file], offset, length)
        for file, offset, length in zip(
            *tfrecord.index_records(paths), strict=True
        )
    ]
    assert payloads == [serialize_example(e) for e in written]


@pytest.mark.parametrize("missing", [1, 4, 100])
def test_truncated_file_names_file_and_byte(tmp_path, missing):
    tfrecord.write_split(random_examples(3), tmp_path, "train", 1)
    (path,) = tfrecord.list_shards(tmp_path, "train")
    last = tfrecord.index_records([path]).offset[-1] - 12
    with open(path, "r+b") as file:
        file.truncate(file.seek(0, 2) - missing)
    with pytest.raises(UserError, match=f"{path}: the record at byte {last} "):
        tfrecord.index_records([path])


def test_file_cut_within_a_length_is_truncated_too(tmp_path):
    tfrecord.write_split(random_examples(2), tmp_path, "train", 1)
    (path,) = tfrecord.list_shards(tmp_path, "train")
    last = tfrecord.index_records([path]).offset[-1] - 12
    with open(path, "r+b") as file:
        file.truncate(last + 5)
    with pytest.raises(UserError, match=f"at byte {last} "):
        tfrecord.index_records([path])


def test_missing_shards_are_named(tmp_path):
    tfrecord.write_split(random_examples(4), tmp_path, "train", 4)
    (tmp_path / "train-00002-of-00004.tfrecord").unlink()
    with pytest.raises(UserError, match="train-00002-of-00004.* is missing"):
        tfrecord.list_shards(tmp_path, "train")
    with pytest.raises(UserError, match="split 'val'; there: train"):
        tfrecord.list_shards(tmp_path, "val")
    with pytest.raises(UserError, match="no such directory"):
        tfrecord.list_shards(tmp_path / "nowhere", "train")


def test_shards_of_two_sets_are_refused(tmp_path):
    tfrecord.write_split(random_examples(2), tmp_path, "train", 2)
    path = tmp_path / "train-00000-of-00002.tfrecord"
    path.rename(tmp_path / "train-00000-of-00001.tfrecord")
    with pytest.raises(UserError, match="two different sets"):
        tfrecord.list_shards(tmp_path, "train")


def test_failed_writing_leaves_the_old_shard(tmp_path):
    path = tmp_path / tfrecord.shard_name("train", 0, 1)
    old = random_examples(2)
    tfrecord.write_shard(path, old)

    def fails_at_the_end():
        yield from random_examples(3, seed=1)
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        tfrecord.write_shard(path, fails_at_the_end())
    assert stored(tmp_path, "train") == old
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("total, wanted", [(7, 3), (3, 8), (1, 1), (1000, 7)])
def test_shards_get_about_equally_many_in_order(total, wanted):
    cuts = tfrecord.cut_split("val", total, wanted)
    assert list(cuts)[0] == tfrecord.shard_name("val", 0, min(total, wanted))
    lengths = {len(part) for part in cuts.values()}
    assert min(lengths) >= 1 and max(lengths) - min(lengths) <= 1
    assert [i for part in cuts.values() for i in part] == list(range(total))


def test_empty_split_is_refused(tmp_path):
    with pytest.raises(UserError, match="train: there is no image"):
        tfrecord.write_split([], tmp_path, "train", 2)

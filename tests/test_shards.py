import dataclasses
import os
import pathlib

import numpy as np
import pytest
from image_files import write_folder

from deepgbass.data import shards
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.folder import open_folder
from deepgbass.data.source import Source


@dataclasses.dataclass(frozen=True)
class Sparse:
    """An item with one file of any size."""

    name: str
    files: tuple[pathlib.Path, ...]


def plans(items, num_shards=None):
    info = DatasetInfo("set", ("a",))
    return shards.plan_shards(Source(info, {"train": items}), num_shards)


def test_every_item_is_in_one_shard_in_order():
    items = [Sparse(f"{i}", ()) for i in range(11)]
    found = plans(items, 4)
    assert [item for plan in found for item in plan.items] == items
    assert {plan.split for plan in found} == {"train"}


@pytest.mark.parametrize(
    "count, size, expected",
    [(100, 10, 4), (3, 10, 3), (100, 2**24, 13), (6001, 0, 7)],
)
def test_big_splits_get_more_shards(tmp_path, count, size, expected):
    paths = [tmp_path / f"{i}" for i in range(count)]
    for path in paths:
        path.touch()
        os.truncate(path, size)
    items = [Sparse(path.name, (path,)) for path in paths]
    assert len(plans(items)) == expected


def test_a_file_that_items_share_counts_once(tmp_path):
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, 5 * 2**27)
    items = [Sparse(f"{i}", (path,)) for i in range(100)]
    assert len(plans(items)) == 5


def test_digest_changes_with_item_file_and_description(tmp_path):
    source = write_folder(tmp_path / "source", ["a", "b", "c"])

    def digests(**changes):
        opened = open_folder(source)
        info = dataclasses.replace(opened.info, **changes)
        found = shards.plan_shards(Source(info, opened.splits), 3)
        return [plan.digest for plan in found]

    first = digests()
    assert digests() == first and len(set(first)) == 3
    assert not set(digests(ignore_label=9)) & set(first)
    image = source / "images/b.jpg"
    image.write_bytes(image.read_bytes())
    os.utime(image, ns=(1, 1))
    assert [a == b for a, b in zip(digests(), first, strict=True)] == [
        True,
        False,
        True,
    ]


def test_a_finished_shard_is_read_back(tmp_path):
    opened = open_folder(write_folder(tmp_path / "source", ["a", "b"]))
    (plan,) = shards.plan_shards(opened, 1)
    counts = np.arange(256)
    work = tmp_path / "work"
    assert shards.read(plan, work) is None
    checked = [(item.read(), counts) for item in plan.items]
    written = shards.write(plan, work, checked)
    found = shards.read(plan, work)
    assert found.shard == written.shard and found.shard.records == 2
    assert found.sizes == {(12, 16): 2}
    np.testing.assert_array_equal(found.ids, 2 * counts)

    other = dataclasses.replace(plan, digest="0")
    assert shards.read(other, work) is None
    # Moved on already; its note is still here.
    (work / plan.name).rename(tmp_path / plan.name)
    assert shards.read(plan, work) is None
    assert shards.read(plan, work, tmp_path).shard == written.shard

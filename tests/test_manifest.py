import collections

import numpy as np
import pytest

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.manifest import (
    Shard,
    check_shards,
    count_statistics,
    hash_file,
)
from deepgbass.errors import UserError

# Of "abc", from FIPS 180-2.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_statistics_sum_up_sizes_and_ids():
    sizes = collections.Counter({(4, 9): 2, (5, 7): 2, (6, 8): 1})
    ids = np.zeros(256, np.int64)
    ids[[0, 1, 2, 255]] = 10, 20, 30, 40
    found = count_statistics(sizes, ids, 3, 255)
    assert found.min_size == (4, 7)
    assert found.max_size == (6, 9)
    assert found.common_size == (4, 9)
    assert (found.pixels, found.ignored) == ((10, 20, 30), 40)
    assert ids[255] == 40


def test_an_ignored_class_has_no_pixels():
    ids = np.zeros(256, np.int64)
    ids[[0, 1]] = 10, 20
    found = count_statistics({(1, 1): 1}, ids, 2, 0)
    assert (found.pixels, found.ignored) == ((0, 20), 10)


def test_shards_are_compared(tmp_path):
    path = tmp_path / "train-00000-of-00001.tfrecord"
    shard = Shard(path.name, 1, 3, ABC)
    info = DatasetInfo("set", ("a",), shards={"train": [shard]})
    with pytest.raises(UserError, match=f"{path}: cannot be read: No such"):
        check_shards(info, tmp_path, "train")
    path.write_bytes(b"abcd")
    with pytest.raises(UserError, match=f"{path}: 4 bytes, .* says 3"):
        check_shards(info, tmp_path, "train")
    path.write_bytes(b"abd")
    check_shards(info, tmp_path, "train")
    with pytest.raises(UserError, match=f"{path}: its SHA-256"):
        check_shards(info, tmp_path, "train", contents=True)
    path.write_bytes(b"abc")
    assert hash_file(path) == ABC
    check_shards(info, tmp_path, "train", contents=True)
    check_shards(info, tmp_path, "val", contents=True)

"""Records that are read from damaged files; TensorFlow wrote the files."""

import numpy as np
import pytest
import tensorflow as tf

from deepgbass.data import salvage

SIZES = (40, 0, 300, 5, 90)
PAYLOADS = [bytes([65 + i]) * size for i, size in enumerate(SIZES)]
STARTS = np.cumsum([0, *(size + 16 for size in SIZES)]).tolist()


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "shard"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for payload in PAYLOADS:
            writer.write(payload)
    return path


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def read(path):
    places, gaps = salvage.find_records(path)
    return [salvage.read_record(path, place) for place in places], gaps


def test_good_file_is_read_whole(shard):
    assert read(shard) == (PAYLOADS, [])
    places, _ = salvage.find_records(shard)
    assert [place.start for place in places] == STARTS[:-1]


@pytest.mark.parametrize("place", [STARTS[2] + 50, STARTS[3] - 1])
def test_damaged_payload_or_checksum_costs_that_record(shard, place):
    flip(shard, place)
    payloads, gaps = read(shard)
    assert payloads == [*PAYLOADS[:2], None, *PAYLOADS[3:]]
    assert not gaps


@pytest.mark.parametrize("block", [5, 64, 1 << 20])
@pytest.mark.parametrize("place", [0, 1, 7, 8, 11])
def test_damaged_length_costs_that_record(shard, monkeypatch, block, place):
    monkeypatch.setattr(salvage, "_BLOCK", block)
    flip(shard, STARTS[2] + place)
    payloads, gaps = read(shard)
    assert payloads == [*PAYLOADS[:2], *PAYLOADS[3:]]
    assert gaps == [(STARTS[2], STARTS[3], False)]


@pytest.mark.parametrize("left", [1, 11, 12, 50])
def test_truncated_file_gives_the_records_before(shard, left):
    shard.write_bytes(shard.read_bytes()[: STARTS[4] + left])
    payloads, gaps = read(shard)
    assert payloads == PAYLOADS[:4]
    assert gaps == [(STARTS[4], STARTS[4] + left, left >= 12)]


def test_lost_bytes_cost_two_records(shard):
    data = shard.read_bytes()
    shard.write_bytes(data[: STARTS[2] + 60] + data[STARTS[2] + 70 :])
    payloads, gaps = read(shard)
    # The length leads on into the next record.
    assert payloads == [*PAYLOADS[:2], None, PAYLOADS[4]]
    assert gaps == [(STARTS[3], STARTS[4] - 10, False)]


@pytest.mark.parametrize("size", [1, 11, 12, 5000])
def test_other_file_has_no_records(tmp_path, size):
    path = tmp_path / "noise"
    path.write_bytes(np.random.default_rng(0).bytes(size))
    assert read(path) == ([], [(0, size, False)])


def test_empty_file_has_neither_records_nor_gaps(tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(b"")
    assert read(path) == ([], [])

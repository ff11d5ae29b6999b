"""Reads what can be read of a damaged file of records.

A record is 8 bytes of payload length, 4 of its checksum, the payload, 4 of
the payload's checksum. A payload that was damaged costs that record alone; a
length that was damaged costs the way to the next record, which is searched by
the checksum of its length.
"""

import struct
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Reads one record at any place and verifies its checksums, which nothing
# that TensorFlow exports does.
from tensorflow.python.lib.io.tf_record import tf_record_random_reader

from deepgbass.data import tfrecord

# Bytes that are searched at a time, in eight times the memory.
_BLOCK = 1 << 20
_HEAD = 12


class Place(NamedTuple):
    """Where a record lies.

    Attributes:
        start: First byte of the record.
        length: Bytes of its payload.
    """

    start: int
    length: int


class Gap(NamedTuple):
    """Where a file holds no records.

    Attributes:
        start: First byte.
        end: The byte after the last.
        truncated: Whether a record begins here that the file is too short
            for.
    """

    start: int
    end: int
    truncated: bool


def find_records(path) -> tuple[list[Place], list[Gap]]:
    """Walks through the records of a file without reading their payloads.

    Raises:
        OSError: The file cannot be read.
    """
    places, gaps = [], []
    with open(path, "rb", buffering=0) as file:
        size = file.seek(0, 2)
        start = 0
        while start < size:
            file.seek(start)
            length = _length(file.read(_HEAD))
            end = start + _HEAD + (length or 0) + 4
            if length is not None and end <= size:
                places.append(Place(start, length))
                start = end
            else:
                next_start = _search(file, start + 1, size)
                gaps.append(Gap(start, next_start, length is not None))
                start = next_start
    return places, gaps


def read_record(path, place: Place) -> bytes | None:
    """The payload of a record.

    Returns:
        None if a checksum is wrong or the disk does not give it.
    """
    try:
        return tf_record_random_reader(str(path)).read(place.start)[0]
    except tf.errors.OpError:
        return None


def read_unchecked(path, place: Place) -> bytes:
    """The payload of a record, whatever its checksum."""
    return tfrecord.read_payload(path, place.start + _HEAD, place.length)


def _length(head):
    """The length of the payload; None if this is no head of a record."""
    if len(head) < _HEAD or not _heads(np.frombuffer(head, np.uint8))[0]:
        return None
    return struct.unpack("<Q", head[:8])[0]


def _search(file, start, size):
    """The first place from `start` on where a whole record begins."""
    while start + _HEAD <= size:
        file.seek(start)
        block = np.frombuffer(file.read(_BLOCK + _HEAD - 1), np.uint8)
        for offset in np.flatnonzero(_heads(block)).tolist():
            (length,) = struct.unpack_from("<Q", block, offset)
            if start + offset + _HEAD + length + 4 <= size:
                return start + offset
        start += _BLOCK
    return size


def _heads(data):
    """At which bytes 8 bytes are followed by their masked CRC-32C.

    Args:
        data: uint8 `(n,)`, n >= 12.

    Returns:
        bool `(n - 11,)`.
    """
    count = len(data) - _HEAD + 1
    crc = np.full(count, 0xFFFFFFFF, np.uint32)
    for i in range(8):
        crc = _CRC_TABLE[(crc ^ data[i : i + count]) & 255] ^ crc >> 8
    crc = ~crc
    masked = (crc >> 15 | crc << 17) + np.uint32(0xA282EAD8)
    same = np.ones(count, bool)
    for i in range(4):
        same &= (masked >> 8 * i & 255) == data[8 + i : 8 + i + count]
    return same


def _make_crc_table():
    """The remainders of all bytes by Castagnoli's polynomial, reflected."""
    crc = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = np.where(crc & 1, crc >> 1 ^ np.uint32(0x82F63B78), crc >> 1)
    return crc


_CRC_TABLE = _make_crc_table()

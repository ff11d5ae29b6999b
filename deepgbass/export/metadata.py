"""A text within a `.tflite` file, as a named entry of `Model.metadata`.

Read and written with nothing but `struct`, so that a device needs no schema.
The standard TFLite metadata would need its own schema, which neither
TensorFlow nor LiteRT brings along, and one more library to be read.

Writing leaves every byte of the network where it was relative to all others:
a new root table, whose offsets point into the old file, is put in front of
it. Packing the whole file anew, as the schema's object interface does, moves
all constants, which then no longer begin at multiples of 16 bytes.
"""

import dataclasses
import struct

from deepgbass.errors import UserError

IDENTIFIER = b"TFL3"
# Fields of the schema's tables by position, as far as they matter here.
_VERSION, _BUFFERS, _METADATA = 0, 4, 6
# The root table's; those of a later schema might not be offsets.
_MODEL_FIELDS = 10
# Constants begin at multiples of this, as the schema demands.
_ALIGNMENT = 16


@dataclasses.dataclass(frozen=True)
class _Table:
    """A flatbuffer table: where its fields lie in `content`."""

    content: bytes
    position: int

    def __post_init__(self):
        if self.position < 0:
            raise ValueError("an offset points outside the file")

    @property
    def _vtable(self):
        return self.position - _read("<i", self.content, self.position)

    @property
    def num_fields(self):
        return _read("<H", self.content, self._vtable) // 2 - 2

    def field(self, index):
        """Position of a field's value, None where it is left out."""
        if index >= self.num_fields:
            return None
        entry = self._vtable + 4 + 2 * index
        offset = _read("<H", self.content, entry)
        return self.position + offset if offset else None

    def target(self, index):
        """Position of what an offset field points to, None if left out."""
        position = self.field(index)
        return None if position is None else _follow(self.content, position)

    def tables(self, index):
        """The tables of a vector field, empty where it is left out."""
        start = self.target(index)
        if start is None:
            return []
        count = _read("<I", self.content, start)
        if 4 * count > len(self.content):
            raise ValueError("a vector is longer than the file")
        positions = range(start + 4, start + 4 + 4 * count, 4)
        return [
            _Table(self.content, _follow(self.content, p)) for p in positions
        ]

    def data(self, index):
        """(first, last + 1) byte of a vector of bytes or a string."""
        start = self.target(index)
        if start is None:
            return 0, 0
        end = start + 4 + _read("<I", self.content, start)
        if end > len(self.content):
            raise ValueError("a vector is longer than the file")
        return start + 4, end


def read_metadata(content, name):
    """The text of an entry.

    Args:
        content: bytes of a `.tflite` file.
        name: str, of the entry.

    Returns:
        bytes, None where there is no such entry.

    Raises:
        UserError: `content` is not a `.tflite` file, or cut short.
    """
    try:
        span = _find(_root(content), name)
    except (ValueError, struct.error) as error:
        raise UserError(f"not a whole TFLite file: {error}") from None
    return None if span is None else content[slice(*span)]


def write_metadata(content, name, text):
    """The file with an entry, in place of one that it had by this name.

    Args:
        content: bytes of a `.tflite` file.
        name: str, of the entry.
        text: bytes.

    Returns:
        bytes. They end with those of the file, or with those that it had
        before the last call by this name.

    Raises:
        UserError: `content` is not a `.tflite` file, or has fields that this
            does not know or that lie outside its tables (above 2 GB).
    """
    try:
        content = _without_front(content, name)
        root = _root(content)
        if root.num_fields > _MODEL_FIELDS:
            raise ValueError("its schema is newer than this program")
        return _front(root, name, text) + content
    except (ValueError, struct.error) as error:
        raise UserError(
            f"no description can be put into the model: {error}"
        ) from None


def _read(form, content, position):
    return struct.unpack_from(form, content, position)[0]


def _follow(content, position):
    return position + _read("<I", content, position)


def _root(content):
    if content[4:8] != IDENTIFIER:
        raise ValueError("it does not begin as one")
    return _Table(content, _follow(content, 0))


def _is_named(entry, name):
    return entry.content[slice(*entry.data(0))] == name.encode()


def _find(root, name):
    """(first, last + 1) byte of an entry's text."""
    for entry in root.tables(_METADATA):
        if _is_named(entry, name):
            position = entry.field(1)
            # A scalar at its default, 0, is left out.
            index = (
                0 if position is None else _read("<I", root.content, position)
            )
            buffers = root.tables(_BUFFERS)
            if index >= len(buffers):
                raise ValueError("an entry names a buffer that is not there")
            return buffers[index].data(0)
    return None


def _without_front(content, name):
    """The file without what `write_metadata` had put in front of it."""
    root = _root(content)
    entries = root.tables(_METADATA)
    # The entry of the front is the last one; others may lie further in.
    if not entries or not _is_named(entries[-1], name):
        return content
    behind = _round_up(_find(root, name)[1])
    is_ours = content[behind + 4 : behind + 8] == IDENTIFIER
    return content[behind:] if is_ours else content


def _front(root, name, text):
    """What goes before the file, a multiple of `_ALIGNMENT` bytes.

    It lists the file's tables after its own. All offsets point forward, as
    flatbuffers want it.
    """
    entries = [e for e in root.tables(_METADATA) if not _is_named(e, name)]
    buffers = root.tables(_BUFFERS)
    if any(buffer.field(1) is not None for buffer in buffers):
        raise ValueError("its constants lie behind its tables")
    kept = {
        index: root.target(index)
        for index in range(1, root.num_fields)
        if root.field(index) is not None
    }
    fields = sorted({_VERSION, _BUFFERS, _METADATA, *kept})

    # Where everything goes; 4-byte words but for the tables of fields.
    vtable = 8
    model = _round_up(vtable + 4 + 2 * (fields[-1] + 1), 4)
    metadata = model + 4 + 4 * len(fields)
    listed = metadata + 4 + 4 * (len(entries) + 1)
    entry = listed + 4 + 4 * (len(buffers) + 1) + 8
    buffer = entry + 12 + 8
    title = buffer + 8
    encoded = name.encode()
    data = _round_up(title + 4 + len(encoded) + 1 + 4) - 4
    end = _round_up(data + 4 + len(text))

    front = bytearray(end)

    def put(form, position, *values):
        struct.pack_into(form, front, position, *values)

    def point(position, target):
        put("<I", position, target - position)

    point(0, model)
    front[4:8] = IDENTIFIER
    put("<HH", vtable, 4 + 2 * (fields[-1] + 1), 4 + 4 * len(fields))
    put("<i", model, model - vtable)
    own = {_BUFFERS: listed, _METADATA: metadata}
    for place, index in enumerate(fields):
        offset = 4 + 4 * place
        put("<H", vtable + 4 + 2 * index, offset)
        if index == _VERSION:
            version = root.field(_VERSION)
            number = (
                0 if version is None else _read("<I", root.content, version)
            )
            put("<I", model + offset, number)
        else:
            point(model + offset, own.get(index, end + kept.get(index, 0)))

    for start, tables, last in (
        (metadata, entries, entry),
        (listed, buffers, buffer),
    ):
        put("<I", start, len(tables) + 1)
        positions = [end + table.position for table in tables] + [last]
        for number, position in enumerate(positions):
            point(start + 4 + 4 * number, position)

    # The entry: its name, and the buffer that comes last in the list.
    put("<HHHHi", entry - 8, 8, 12, 4, 8, 8)
    point(entry + 4, title)
    put("<I", entry + 8, len(buffers))
    put("<HHHHi", buffer - 8, 6, 8, 4, 0, 8)
    point(buffer + 4, data)
    put("<I", title, len(encoded))
    front[title + 4 : title + 4 + len(encoded)] = encoded
    put("<I", data, len(text))
    front[data + 4 : data + 4 + len(text)] = text
    return bytes(front)


def _round_up(position, multiple=_ALIGNMENT):
    return -(-position // multiple) * multiple

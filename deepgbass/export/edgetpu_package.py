"""What a compiled model says of itself: the package in `edgetpu-custom-op`.

The package is a flatbuffer ("DWN1") inside the operator's options; its fields
are published with Google's runtime (libedgetpu, `executable/executable.fbs`).
"""

import dataclasses
import struct

from flatbuffers import number_types
from flatbuffers.table import Table

_MARK = b"DWN1"
# Fields by their position in the schema's tables.
_MIN_RUNTIME, _MULTI_EXECUTABLE, _COMPILER = 0, 1, 4
_EXECUTABLES = 0
_BITSTREAMS, _PARAMETERS, _DMA, _INPUTS, _OUTPUTS = 5, 6, 7, 8, 9
_CHIP, _CYCLES, _NARROW, _TYPE, _CYCLES_64 = 10, 11, 12, 13, 16
_BITSTREAM = 0
_LAYER_BYTES = 1
_HINTS, _HINT_KIND, _HINT = 0, 0, 1
_META, _TRANSFERRED, _TARGET = 0, 2, 0
# Values of enumerations.
_CACHING, _DESCRIPTOR, _SCRATCH = 1, 1, 3
# A package has one or two executables of a few hundred transfers each.
_MAX_ITEMS = 100_000

_CORRUPT = (struct.error, ArithmeticError, LookupError, TypeError, ValueError)


@dataclasses.dataclass(frozen=True)
class Package:
    """One compiled subgraph.

    Attributes:
        min_runtime_version: of libedgetpu.
        compiler: version text of the compiler; "" where it says none.
        chip: text, "beagle" for Coral.
        cached_bytes: parameters kept in on-chip memory after loading.
        streamed_bytes: parameters sent at every inference.
        instruction_bytes: of an inference.
        scratch_bytes: activations that do not fit, sent to the host and read
            back at every inference: both ways added up.
        input_bytes, output_bytes: transferred at every inference.
        narrow_bytes_per_tile: activation memory, of 196,608.
        estimated_cycles: by the compiler; 0 where it left none.
    """

    min_runtime_version: int
    compiler: str
    chip: str
    cached_bytes: int
    streamed_bytes: int
    instruction_bytes: int
    scratch_bytes: int
    input_bytes: int
    output_bytes: int
    narrow_bytes_per_tile: int
    estimated_cycles: int


def read_package(custom_data: bytes) -> Package | None:
    """Reads the package of one `edgetpu-custom-op`.

    Args:
        custom_data: options of the operator.

    Returns:
        None if the package is not in the published form, or corrupt.
    """
    start = custom_data.find(_MARK) - 4
    if start < 0:
        return None
    try:
        return _read(custom_data[start:])
    except _CORRUPT:
        return None


def _read(content):
    package = _root(content)
    multiple = _root(_bytes(package, _MULTI_EXECUTABLE))
    executables = [
        _root(_bytes_at(multiple, position))
        for position in _positions(multiple, _EXECUTABLES)
    ]
    if not executables:
        raise ValueError("a package without executables")
    cached = [e for e in executables if _number(e, _TYPE, 16) == _CACHING]
    run = [e for e in executables if _number(e, _TYPE, 16) != _CACHING]
    main = (run or executables)[0]
    return Package(
        _number(package, _MIN_RUNTIME, 32),
        _bytes(package, _COMPILER).decode(errors="replace"),
        _bytes(main, _CHIP).decode(errors="replace"),
        sum(len(_bytes(e, _PARAMETERS)) for e in cached),
        sum(len(_bytes(e, _PARAMETERS)) for e in run),
        sum(
            len(_bytes(stream, _BITSTREAM))
            for e in run
            for stream in _tables(e, _BITSTREAMS)
        ),
        sum(map(_scratch_bytes, run)),
        _layer_bytes(run, _INPUTS),
        _layer_bytes(run, _OUTPUTS),
        max((_number(e, _NARROW, 32) for e in run), default=0),
        sum(_number(e, _CYCLES_64, 64) or _number(e, _CYCLES, 32) for e in run),
    )


def _layer_bytes(executables, field):
    return sum(
        _number(layer, _LAYER_BYTES, 32)
        for executable in executables
        for layer in _tables(executable, field)
    )


def _scratch_bytes(executable):
    """Sums up the transfers that have scratch memory as their target."""
    total = 0
    for dma in _table(executable, _DMA):
        for hint in _tables(dma, _HINTS):
            if _number(hint, _HINT_KIND, 8) != _DESCRIPTOR:
                continue
            for descriptor in _table(hint, _HINT):
                metas = _table(descriptor, _META)
                if any(_number(m, _TARGET, 16) == _SCRATCH for m in metas):
                    total += _number(descriptor, _TRANSFERRED, 32)
    return total


def _root(content):
    (offset,) = struct.unpack_from("<I", content)
    return Table(content, offset)


def _number(table, field, bits):
    offset = table.Offset(4 + 2 * field)
    if not offset:
        return 0
    kind = getattr(number_types, f"Int{bits}Flags")
    return int(table.Get(kind, offset + table.Pos))


def _bytes(table, field):
    """A vector of bytes or a string; empty where there is none."""
    offset = table.Offset(4 + 2 * field)
    if not offset:
        return b""
    start, length = table.Vector(offset), table.VectorLen(offset)
    return _cut(table, start, length)


def _bytes_at(table, position):
    start = position + struct.unpack_from("<I", table.Bytes, position)[0]
    (length,) = struct.unpack_from("<I", table.Bytes, start)
    return _cut(table, start + 4, length)


def _cut(table, start, length):
    if start < 0 or start + length > len(table.Bytes):
        raise ValueError("a vector beyond the end")
    return bytes(table.Bytes[start : start + length])


def _positions(table, field):
    """Where the elements of a vector of offsets lie."""
    offset = table.Offset(4 + 2 * field)
    if not offset:
        return []
    count = table.VectorLen(offset)
    if count > min(_MAX_ITEMS, len(table.Bytes) // 4):
        raise ValueError(f"a list of {count} items")
    return [table.Vector(offset) + 4 * i for i in range(count)]


def _table(table, field):
    """A table inside a table, as a list of one, or of none."""
    offset = table.Offset(4 + 2 * field)
    if not offset:
        return []
    return [Table(table.Bytes, table.Indirect(offset + table.Pos))]


def _tables(table, field):
    return [
        Table(
            table.Bytes,
            position + struct.unpack_from("<I", table.Bytes, position)[0],
        )
        for position in _positions(table, field)
    ]

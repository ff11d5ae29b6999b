"""Reads a `.tflite` file as a `Graph`.

From the flatbuffer itself, without an interpreter: one would refuse custom
and unknown operators before anything could be said of them. Nothing in a file
is trusted: every count, index and length is checked.
"""

import pathlib
import struct

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from deepgbass.errors import UserError
from deepgbass.export.tflite_graph import WIDTHS, Graph, Operator, Tensor

# The compiler's on-chip memory is 8 MB; what is larger than this by two
# orders of magnitude is not meant for it.
_MAX_BYTES = 512 * 2**20
# Far above real networks, and low enough to give up soon on random bytes.
_MAX_ITEMS = 100_000
_MAX_RANK = 32

# What the generated reader, which checks little, makes of corrupt bytes.
_CORRUPT = (struct.error, ArithmeticError, LookupError, TypeError, ValueError)

_OPERATORS = {
    number: name
    for name, number in vars(schema.BuiltinOperator).items()
    if not name.startswith("_")
}
_TYPES = {
    number: name.lower()
    for name, number in vars(schema.TensorType).items()
    if not name.startswith("_")
}
_OPTION_TABLES = {
    number: name
    for name, number in vars(schema.BuiltinOptions).items()
    if not name.startswith("_")
}
_STRIDES = ("Padding", "StrideH", "StrideW")
_DILATIONS = ("DilationHFactor", "DilationWFactor")
_FUSED = "FusedActivationFunction"
# Options that rules or estimates look at, by their table in the schema.
_OPTIONS = {
    "Conv2DOptions": (*_STRIDES, *_DILATIONS, _FUSED),
    "DepthwiseConv2DOptions": (*_STRIDES, *_DILATIONS, _FUSED),
    "TransposeConvOptions": (*_STRIDES, _FUSED),
    "Pool2DOptions": (*_STRIDES, "FilterHeight", "FilterWidth", _FUSED),
    "ConcatenationOptions": ("Axis", _FUSED),
    "FullyConnectedOptions": ("WeightsFormat", _FUSED),
    "PackOptions": ("Axis",),
    "ResizeBilinearOptions": ("AlignCorners", "HalfPixelCenters"),
    "ResizeNearestNeighborOptions": ("AlignCorners", "HalfPixelCenters"),
    "StridedSliceOptions": ("EllipsisMask", "NewAxisMask"),
}


def read_graph(path_or_bytes, label=None) -> Graph:
    """Reads a `.tflite` file.

    Args:
        path_or_bytes: path of the file, or its content.
        label: what messages call it. Default: the path, or "the model".

    Raises:
        UserError: not there, not a TFLite file, corrupt, huge or empty.
    """
    in_memory = isinstance(path_or_bytes, (bytes, bytearray, memoryview))
    label = label or ("the model" if in_memory else str(path_or_bytes))
    if not in_memory:
        path_or_bytes = _load(pathlib.Path(path_or_bytes), label)
    content = bytes(path_or_bytes)
    if len(content) < 16 or content[4:8] != b"TFL3":
        raise UserError(f"{label} is not a TFLite file (no TFL3 mark)")
    try:
        graph = _read_model(content)
    except _CORRUPT as error:
        raise UserError(
            f"{label} is corrupt or cut short ({error}); export or fetch it"
            " again"
        ) from None
    if not graph.operators:
        raise UserError(f"{label} holds no operators; there is nothing to run")
    return graph


def _load(path, label):
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise UserError(
                f"{label} has {size / 2**20:.0f} MiB; a model for the Edge TPU"
                f" has a few (at most {_MAX_BYTES // 2**20} are read)"
            )
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{label}: {error.strerror}") from None


def _read_model(content):
    model = schema.Model.GetRootAs(content)
    codes = _items(content, model.OperatorCodesLength(), model.OperatorCodes)
    buffers = _items(content, model.BuffersLength(), model.Buffers)
    graphs = _items(content, model.SubgraphsLength(), model.Subgraphs)
    if not graphs:
        return Graph((), (), (), (), 0, len(content))
    main = graphs[0]
    tensors = tuple(
        _read_tensor(content, index, tensor, buffers)
        for index, tensor in enumerate(
            _items(content, main.TensorsLength(), main.Tensors)
        )
    )
    operators = tuple(
        _read_operator(content, index, op, codes, len(tensors))
        for index, op in enumerate(
            _items(content, main.OperatorsLength(), main.Operators)
        )
    )
    return Graph(
        operators,
        tensors,
        _indices(main.InputsAsNumpy(), len(tensors), 0),
        _indices(main.OutputsAsNumpy(), len(tensors), 0),
        len(graphs) - 1,
        len(content),
    )


def _items(content, length, get):
    """The tables of a vector of offsets."""
    if length > min(_MAX_ITEMS, len(content) // 4):
        raise ValueError(f"a list of {length} items")
    return [get(i) for i in range(length)]


def _indices(values, count, lowest):
    """A vector of tensor indices as a tuple; the reader gives 0 for none."""
    values = np.atleast_1d(values) if not np.isscalar(values) else ()
    if len(values) > _MAX_ITEMS:
        raise ValueError(f"a list of {len(values)} tensors")
    values = tuple(int(i) for i in values)
    if any(not lowest <= i < count for i in values):
        raise ValueError("an index of a tensor that is not there")
    return values


def _text(value):
    return (value or b"").decode(errors="replace")


def _sizes(values):
    """A shape as a tuple, and whether one of its sizes is open."""
    sizes = () if np.isscalar(values) else tuple(int(n) for n in values)
    if len(sizes) > _MAX_RANK:
        raise ValueError(f"a tensor of {len(sizes)} dimensions")
    return tuple(n if n >= 0 else 1 for n in sizes), any(n < 0 for n in sizes)


def _read_tensor(content, index, table, buffers):
    shape, unknown = _sizes(table.ShapeAsNumpy())
    _, dynamic = _sizes(table.ShapeSignatureAsNumpy())
    dtype = _TYPES.get(table.Type(), f"type {table.Type()}")
    buffer = buffers[table.Buffer()] if table.Buffer() < len(buffers) else None
    if buffer is None:
        raise ValueError(f"tensor {index} lies in a buffer that is not there")
    data = _stored(content, buffer)
    quantization = table.Quantization()
    zeros = quantization.ZeroPointAsNumpy() if quantization else 0
    tensor = Tensor(
        index,
        _text(table.Name()),
        shape,
        dynamic or unknown,
        dtype,
        len(data) > 0,
        bool(table.IsVariable()),
        len(data),
        0 if np.isscalar(zeros) or not len(zeros) else int(zeros[0]),
        quantization.ScaleLength() if quantization else 0,
        data,
    )
    plain = dtype in WIDTHS and table.Sparsity() is None
    if tensor.constant and plain and tensor.nbytes != len(data):
        raise ValueError(
            f"tensor {index} of {tensor.nbytes} bytes is stored in {len(data)}"
        )
    return tensor


def _stored(content, buffer):
    """The bytes of a buffer, inside the flatbuffer or appended to it."""
    start, size = buffer.Offset(), buffer.Size()
    if start > 1:
        if start + size > len(content):
            raise ValueError("a constant beyond the end of the file")
        return memoryview(content)[start : start + size]
    data = buffer.DataAsNumpy()
    return b"" if np.isscalar(data) else memoryview(data)


def _read_operator(content, index, table, codes, tensor_count):
    code = codes[table.OpcodeIndex()]
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _OPERATORS.get(number, f"operator {number}")
    custom_data = b""
    if number == schema.BuiltinOperator.CUSTOM:
        name = _text(code.CustomCode()) or "CUSTOM"
        custom_data = _custom_data(content, table)
    outputs = _indices(table.OutputsAsNumpy(), tensor_count, 0)
    if not outputs and name != "CALL_ONCE" and "ASSIGN" not in name:
        raise ValueError(f"operator {index} ({name}) computes nothing")
    return Operator(
        index,
        name,
        number,
        max(1, code.Version()),
        _indices(table.InputsAsNumpy(), tensor_count, -1),
        outputs,
        _read_options(table),
        custom_data,
    )


def _custom_data(content, table):
    start, size = table.LargeCustomOptionsOffset(), 0
    if start > 1:
        size = table.LargeCustomOptionsSize()
        if start + size > len(content):
            raise ValueError("custom options beyond the end of the file")
        return content[start : start + size]
    data = table.CustomOptionsAsNumpy()
    return b"" if np.isscalar(data) else data.tobytes()


def _read_options(table):
    kind = _OPTION_TABLES.get(table.BuiltinOptionsType())
    options = table.BuiltinOptions() if kind in _OPTIONS else None
    if options is None:
        return {}
    view = getattr(schema, kind)()
    view.Init(options.Bytes, options.Pos)
    return {name: getattr(view, name)() for name in _OPTIONS[kind]}

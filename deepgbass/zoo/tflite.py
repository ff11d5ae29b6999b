"""Reads the convolutions of a `.tflite` file as floats.

The flatbuffer is read as it is, without an interpreter, which would refuse
custom operations before we could name them.
"""

import dataclasses
import re

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from deepgbass.errors import UserError

# What surrounds the convolutions of a DeepLab or a classifier whose batch
# norms were folded. MUL and SUB would be batch norms left loose.
_ALLOWED = {
    *("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "RELU", "RELU6", "PAD"),
    *("AVERAGE_POOL_2D", "MEAN", "CONCATENATION", "RESIZE_BILINEAR", "TILE"),
    *("QUANTIZE", "DEQUANTIZE", "ARG_MAX", "SOFTMAX", "RESHAPE", "SQUEEZE"),
    *("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "CAST"),
}
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_NUMBERS = {
    schema.TensorType.UINT8: np.uint8,
    schema.TensorType.INT8: np.int8,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.FLOAT32: np.float32,
}
# The forms in which a name tells the scope it comes from, surest first. The
# converter joins the names of all it fused with ";", other layers' included.
_SCOPES = (
    re.compile(r"(.+)/(?:depthwise_)?weights(?:_quant/.*)?$"),
    re.compile(r"(.+)/BatchNorm(?:_Fold)?/"),
    re.compile(r"(.+)/(?:Conv2D|depthwise)(?:_Fold)?$"),
)


@dataclasses.dataclass(frozen=True)
class Convolution:
    """One convolution of a file.

    Attributes:
        name: of its weights in the file.
        scope: slim's scope, None where the name does not tell.
        depthwise: whether it is a depthwise one.
        kernel: float64, as Keras has it: (height, width, in, out), or
            (height, width, channels, 1).
        bias: float64 `(out,)`, zeros where the file has none.
        behind: positions of the convolutions that this one's input needs.
    """

    name: str
    scope: str | None
    depthwise: bool
    kernel: np.ndarray
    bias: np.ndarray
    behind: frozenset


def read_convolutions(path) -> list[Convolution]:
    """All convolutions of a `.tflite` file, in the order it computes them.

    Raises:
        UserError: the file is corrupt, or holds something other than a
            network of folded convolutions.
    """
    model = _parse(path)
    graph = model.subgraphs[0]
    if any(t.name.startswith(b"deepgbass") for t in graph.tensors):
        raise UserError(
            f"{path} was exported by this package; use the work directory that"
            " it was exported from"
        )
    operations = [(_operation(model, op), op) for op in graph.operators]
    _check_operations(path, operations)
    reader = _Reader(path, model, operations)
    needs, found = {}, []
    for name, op in operations:
        behind = frozenset().union(*(needs.get(i, ()) for i in op.inputs))
        if name in _CONVOLUTIONS:
            found.append(reader.convolution(name, op, behind))
            behind |= {len(found) - 1}
        elif name == "ADD" and any(reader.is_constant(i) for i in op.inputs):
            raise UserError(
                f"{path} adds a constant that is no bias of a convolution; only"
                " networks with folded batch norms can be loaded"
            )
        needs.update(dict.fromkeys(op.outputs, behind))
    return found


def slim_scope(name: str, depthwise: bool) -> str | None:
    """The slim scope of a convolution, from the name of its weights.

    Args:
        name: names joined by ";", e.g.
            "aspp0/Conv2D_Fold;aspp0/weights_quant/FakeQuantWithMinMaxVars".
        depthwise: whether it is a depthwise convolution; other scopes are
            then ignored.
    """
    for form in _SCOPES:
        matches = (form.match(part) for part in name.split(";"))
        scopes = {m[1] for m in matches if m}
        scopes = {s for s in scopes if s.endswith("depthwise") == depthwise}
        if scopes:
            return scopes.pop() if len(scopes) == 1 else None
    return None


def _parse(path):
    content = path.read_bytes()
    try:
        # Checks every offset, which the Python reader does not.
        Interpreter(model_content=content)
    except ValueError:
        raise UserError(
            f"{path} is a .tflite file that is corrupt or cut short; fetch it"
            " again"
        ) from None
    return schema.ModelT.InitFromPackedBuf(content, 0)


def _operation(model, op):
    code = model.operatorCodes[op.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    if number == schema.BuiltinOperator.CUSTOM:
        return (code.customCode or b"custom").decode(errors="replace")
    names = {v: k for k, v in vars(schema.BuiltinOperator).items()}
    return names[number]


def _check_operations(path, operations):
    names = {name for name, _ in operations}
    if "edgetpu-custom-op" in names:
        raise UserError(
            f"{path} was compiled for the Edge TPU and keeps its weights"
            " inside edgetpu-custom-op; give the file before compilation"
            " (without _edgetpu in its name)"
        )
    others = sorted(names - _ALLOWED)
    if others:
        raise UserError(
            f"{path} holds {', '.join(others)}, which no network that can be"
            " loaded here has"
        )
    if not names & set(_CONVOLUTIONS):
        raise UserError(
            f"{path} holds no convolution; there is nothing to load"
        )


class _Reader:
    """Reads tensors of one file by index."""

    def __init__(self, path, model, operations):
        self._path = path
        self._buffers = model.buffers
        self._tensors = model.subgraphs[0].tensors
        # Float16 files keep weights behind a DEQUANTIZE of a constant.
        self._sources = {
            op.outputs[0]: op.inputs[0]
            for name, op in operations
            if name == "DEQUANTIZE"
        }

    def is_constant(self, index):
        index = self._sources.get(index, index)
        data = self._buffers[self._tensors[index].buffer].data
        return data is not None and len(data) > 0

    def convolution(self, operation, op, behind):
        depthwise = operation == "DEPTHWISE_CONV_2D"
        name = self._tensors[op.inputs[1]].name.decode(errors="replace")
        kernel = self._values(op.inputs[1])
        if kernel.ndim != 4:
            raise UserError(f"{self._path}: {name} has not 4 dimensions")
        # (1, h, w, channels) -> (h, w, channels, 1); (out, h, w, in) -> HWIO.
        kernel = kernel.transpose(1, 2, 3, 0)
        channels = kernel.shape[2 if depthwise else 3]
        biased = len(op.inputs) > 2 and op.inputs[2] >= 0
        bias = self._values(op.inputs[2]) if biased else np.zeros(channels)
        if bias.shape != (channels,):
            raise UserError(
                f"{self._path}: the bias of {name} has shape {bias.shape}"
            )
        scope = slim_scope(name, depthwise)
        return Convolution(name, scope, depthwise, kernel, bias, behind)

    def _values(self, index):
        """A constant tensor as float64 real values."""
        index = self._sources.get(index, index)
        tensor = self._tensors[index]
        name = tensor.name.decode(errors="replace")
        if not self.is_constant(index):
            raise UserError(f"{self._path}: {name} is computed, not stored")
        if tensor.type not in _NUMBERS:
            raise UserError(
                f"{self._path}: {name} is stored as numbers of a type that is"
                " not read here; uint8, int8, int32, float16 and float32 are"
            )
        dtype = np.dtype(_NUMBERS[tensor.type]).newbyteorder("<")
        data = np.asarray(self._buffers[tensor.buffer].data, np.uint8)
        values = np.frombuffer(data.tobytes(), dtype).astype(np.float64)
        values = values.reshape([int(n) for n in tensor.shape])
        if dtype.kind == "f":
            return values
        parameters = tensor.quantization
        if parameters is None or parameters.scale is None:
            raise UserError(f"{self._path}: {name} has integers but no scale")
        scale = np.asarray(parameters.scale, np.float64)
        zero = np.asarray(parameters.zeroPoint, np.float64)
        if len(scale) > 1:
            axis = [1] * values.ndim
            axis[parameters.quantizedDimension] = -1
            scale, zero = scale.reshape(axis), zero.reshape(axis)
        return (values - zero) * scale

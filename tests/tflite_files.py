"""Small `.tflite` files, made by the schema for tests of the preflight."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
}


class Builder:
    """Collects tensors and operators; `content` gives the file."""

    def __init__(self):
        self._tensors, self._operators, self._codes = [], [], []
        self._buffers = [schema.BufferT()]
        self.inputs, self.outputs = [], []
        self.graphs = 1

    def tensor(self, shape, dtype="int8", values=None, **fields):
        """Adds a tensor, constant if it has values; returns its index."""
        tensor = schema.TensorT()
        tensor.shape = list(shape)
        tensor.type = _TYPES[dtype]
        tensor.name = f"t{len(self._tensors)}"
        tensor.buffer = 0
        if dtype in ("int8", "uint8"):
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [0.5]
            tensor.quantization.zeroPoint = [3]
        for name, value in fields.items():
            setattr(tensor, name, value)
        if values is not None:
            buffer = schema.BufferT()
            array = np.broadcast_to(np.asarray(values, dtype), shape)
            buffer.data = np.frombuffer(array.tobytes(), np.uint8)
            tensor.buffer = len(self._buffers)
            self._buffers.append(buffer)
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def ints(self, *values):
        """Adds a constant list of int32."""
        return self.tensor([len(values)], "int32", values)

    def image(self, *shape, dtype="int8", **fields):
        """Adds an input of the graph."""
        index = self.tensor(shape or (1, 8, 8, 4), dtype, **fields)
        self.inputs.append(index)
        return index

    def op(self, name, inputs, outputs, version=1, options=None, custom=None):
        """Adds an operator; returns its first output."""
        code = schema.OperatorCodeT()
        number = getattr(schema.BuiltinOperator, name)
        code.builtinCode = number
        code.deprecatedBuiltinCode = min(number, 127)
        code.version = version
        code.customCode = custom
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._codes)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options:
            kind, fields = options
            table = getattr(schema, f"{kind}T")()
            for field, value in fields.items():
                setattr(table, field, value)
            operator.builtinOptions = table
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        self._codes.append(code)
        self._operators.append(operator)
        return outputs[0]

    def unary(self, name, source, shape=None, dtype=None, **fields):
        """Adds an operator of one activation, of the same size by default."""
        like = self._tensors[source]
        names = {number: name for name, number in _TYPES.items()}
        output = self.tensor(shape or like.shape, dtype or names[like.type])
        return self.op(name, [source], [output], **fields)

    def convolution(self, source, channels=4, **options):
        """Adds a 1x1 CONV_2D to int8."""
        *shape, depth = self._tensors[source].shape
        weights = self.tensor([channels, 1, 1, depth], values=1)
        bias = self.tensor([channels], "int32", 0)
        output = self.tensor([*shape, channels])
        fields = {"strideW": 1, "strideH": 1, **options}
        return self.op(
            "CONV_2D",
            [source, weights, bias],
            [output],
            options=("Conv2DOptions", fields),
        )

    def content(self, *outputs):
        """The file's bytes.

        Args:
            *outputs: of the graph. Default: the last operator's.
        """
        last = self._operators[-1:]
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs = self.inputs
        graph.outputs = list(outputs or (last[0].outputs if last else ()))
        model = schema.ModelT()
        model.version = 3
        model.operatorCodes = self._codes
        model.subgraphs = [graph] * self.graphs
        model.buffers = self._buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

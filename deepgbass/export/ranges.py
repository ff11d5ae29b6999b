"""The ranges of a network's tensors: what int8 calibration measures.

TFLiteConverter measures them too, but an interpreter that reuses memory
gives the inputs of ADD, SUB and MUL the range of their output as well
(tensorflow#127842), and the extremes of many images are wider than what
serves any one of them. Here every tensor keeps its memory, and a range is
the mean over the images of what nearly all values of an image lie in.
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

# Of an image's values, this share lies below and above the range.
TAIL = 1e-5
# About so many values of a tensor are looked at.
_SAMPLE = 200_000
# No range is narrower: a tensor may be zero throughout.
_NARROWEST = 1e-6


def measure_ranges(content, inputs):
    """Runs a float model and measures what its operators give.

    Args:
        content: bytes of a float `.tflite` file.
        inputs: iterable of float32 arrays of the input's shape, at least one;
            of tuples of them for a model with several inputs.

    Returns:
        dict of tensor index -> (low, high), 0 among them, for the outputs of
        all operators that are float32.
    """
    interpreter = Interpreter(
        model_content=content,
        num_threads=2,
        # A delegate would keep the tensors within it to itself.
        experimental_op_resolver_type=(
            OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        ),
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    sources = interpreter.get_input_details()
    dtypes = {d["index"]: d["dtype"] for d in interpreter.get_tensor_details()}
    measured = {
        index: []
        for op in interpreter._get_ops_details()
        for index in op["outputs"]
        if dtypes[index] == np.float32
    }
    for values in inputs:
        given = values if isinstance(values, tuple) else (values,)
        for source, value in zip(sources, given, strict=True):
            interpreter.set_tensor(source["index"], value)
        interpreter.invoke()
        for index, ranges in measured.items():
            ranges.append(_range(interpreter.get_tensor(index)))
    return {
        index: _with_zero(*np.mean(ranges, axis=0))
        for index, ranges in measured.items()
    }


def _range(values):
    # Whole pixels, as a step over values could meet the same channels always.
    pixels = values.reshape(-1, values.shape[-1])
    values = pixels[:: -(-values.size // _SAMPLE)].ravel()
    few = int(TAIL * values.size)
    ordered = np.partition(values, (few, values.size - 1 - few))
    return ordered[few], ordered[-1 - few]


def _with_zero(low, high):
    low, high = min(low, 0.0), max(high, 0.0)
    return float(low), float(max(high, low + _NARROWEST))


def with_ranges(content, ranges):
    """The bytes of a float model with ranges for the quantiser to read.

    Args:
        content: bytes of a float `.tflite` file.
        ranges: dict of tensor index -> (low, high).
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs
    for index, (low, high) in ranges.items():
        quantization = schema.QuantizationParametersT()
        quantization.min, quantization.max = [low], [high]
        graph.tensors[index].quantization = quantization
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())

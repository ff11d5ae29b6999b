"""A network's graph to a TFLite file, float or full-integer int8.

The graph is that of `graph.export_graph`, of static shape: one route for both
Keras generations and for dilated convolutions. A dynamic batch would leave
SPACE_TO_BATCH ops and unfolded batch norms behind.
"""

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.util import modify_model_io_type

from deepgbass.errors import UserError
from deepgbass.export.graph import scale_bytes
from deepgbass.export.op_versions import ceiling, version_remedy
from deepgbass.export.ranges import measure_ranges, with_ranges
from deepgbass.export.tflite_reader import read_graph

# What an int8 network here may consist of; all of it can map.
_OPERATORS = frozenset(
    ("ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "MEAN", "MUL")
    + ("DEPTHWISE_CONV_2D", "PAD", "RELU", "RELU6", "RESIZE_BILINEAR")
    + ("STRIDED_SLICE", "SUB", "TANH")
)
# Beside these, which run on the host's CPU, and the conversion of bytes.
_TAILS = {
    "logits": frozenset(),
    "labels": frozenset(("ARG_MAX",)),
    "full": frozenset(("ARG_MAX",)),
}


def to_float(graph):
    """The bytes of a float model of a `ConcreteFunction` of constants."""
    return tf.lite.TFLiteConverter.from_concrete_functions([graph]).convert()


def to_int8(content, calibration_images, input_type="int8"):
    """Quantises a float model whose input is `graph.scale_bytes`.

    Weights get a scale a channel, activations, input and output one each.

    Args:
        content: bytes of the float model.
        calibration_images: iterable of uint8 images `(height, width, 3)`,
            read once, for `measure_ranges`.
        input_type: "uint8", which takes an image's bytes as they are, or
            "int8", which takes them less 128.

    Returns:
        bytes of the int8 model.
    """
    inputs = (scale_bytes(image[None]) for image in calibration_images)
    ranges = measure_ranges(content, inputs)
    (source,) = read_graph(content, "the float model").inputs
    # All bytes, so that the input's scale is theirs.
    ranges[source] = tuple(scale_bytes(np.array([0, 255], np.uint8)).tolist())
    quantised = mlir_quantize(with_ranges(content, ranges))
    # An argmax stays int32.
    return modify_model_io_type(quantised, tf.as_dtype(input_type), tf.int8)


def verify_int8(content, output="logits"):
    """Makes sure that a converted network is what `to_int8` promises.

    Integers throughout, static sizes, raw bytes as input, and no operator,
    or version of one, that the Edge TPU compiler cannot map. Whether it maps
    those of this size is the preflight's to predict.

    Args:
        content: bytes of the `.tflite` file.
        output: one of `choices.OUTPUTS`.

    Raises:
        UserError: naming the operators or tensors that are not so.
    """
    graph = read_graph(content, "the converted model")
    faults = []
    for op in graph.operators:
        tensors = [
            graph.tensors[i] for i in (*op.inputs, *op.outputs) if i >= 0
        ]
        highest = ceiling(op.name, op.number)
        if op.name not in _OPERATORS | _TAILS[output] | {"QUANTIZE"}:
            faults.append(f"{op.name}, which does not map")
        elif highest is not None and op.version > highest:
            faults.append(
                f"{op.name} version {op.version} above {highest} "
                f"({version_remedy(op.name)})"
            )
        elif any(tensor.dtype.startswith("float") for tensor in tensors):
            faults.append(f"{op.name} on floating-point numbers")
        elif any(tensor.dynamic for tensor in tensors):
            faults.append(f"{op.name} of a size that is not fixed")
        elif op.name.startswith("RESIZE") and tensors[0].shape[1:3] == (1, 1):
            faults.append(f"{op.name} of a single pixel")
    if faults:
        raise UserError(
            "the converted model would not run on an Edge TPU; it holds "
            + "; ".join(sorted(set(faults)))
        )

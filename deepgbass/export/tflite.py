"""A Keras network to a TFLite file, float or full-integer int8.

One route for both Keras generations and for dilated convolutions: a concrete
function of static shape with its variables frozen into constants. A dynamic
batch would leave SPACE_TO_BATCH ops and unfolded batch norms behind.
"""

import warnings

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from deepgbass.errors import UserError


def convert(model, calibration_images=None):
    """Converts a network of static input shape to TFLite.

    Args:
        model: Keras model with input shape `(1, height, width, 3)`.
        calibration_images: None for a float model, or an iterable of uint8
            images `(height, width, 3)`, read once, from which the
            activations' ranges are taken: int8 throughout, input and output
            included.

    Returns:
        bytes of the `.tflite` file.

    Raises:
        UserError: the input shape is not static with batch 1.
    """
    shape = model.input_shape
    if shape[0] != 1 or None in shape:
        raise UserError(
            f"the model's input shape is {shape}; export needs a static shape "
            "with batch 1: build_model(..., batch_size=1)"
        )
    function = tf.function(lambda x: model(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    frozen = convert_variables_to_constants_v2(concrete)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if calibration_images is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32)] for image in calibration_images
        )
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        # It misses statistics that only quantisation-aware training leaves.
        warnings.filterwarnings("ignore", message="Statistics for quantized")
        return converter.convert()


def list_ops(content):
    """The operators of a TFLite file, in execution order.

    Args:
        content: bytes of the file.

    Returns:
        list of (name, tuple of its tensors' NumPy dtypes); constants count
        among the tensors.
    """
    interpreter = Interpreter(
        model_content=content,
        # Delegates would hide the operators that they take over.
        experimental_op_resolver_type=(
            OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        ),
    )
    dtypes = {
        tensor["index"]: np.dtype(tensor["dtype"])
        for tensor in interpreter.get_tensor_details()
    }
    return [
        (
            op["op_name"],
            tuple(
                dtypes[index]
                for index in (*op["inputs"], *op["outputs"])
                if index in dtypes
            ),
        )
        for op in interpreter._get_ops_details()
    ]


def float_ops(content):
    """Names of the operators that touch a floating-point tensor."""
    return [
        name
        for name, dtypes in list_ops(content)
        if any(np.issubdtype(dtype, np.floating) for dtype in dtypes)
    ]

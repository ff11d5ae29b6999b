"""Conversion to int8: what goes in, what comes out, what is refused."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from deepgbass.errors import UserError
from deepgbass.export.graph import scale_bytes
from deepgbass.export.tflite import to_float, to_int8, verify_int8
from deepgbass.export.tflite_reader import read_graph
from deepgbass.ondevice.model import as_input
from deepgbass.predictors import dequantize

SHAPE = (1, 8, 12, 3)
RNG = np.random.default_rng(0)
# Grey, so that the image alone would give the input a narrow range.
IMAGES = [RNG.integers(120, 136, SHAPE[1:], np.uint8)]
KERNEL = tf.constant(RNG.normal(size=(1, 1, 3, 4)), tf.float32)


def convolve(x):
    return tf.nn.conv2d(x, KERNEL, 1, "SAME")


def graph_of(function, shape=SHAPE):
    spec = tf.TensorSpec(shape, tf.float32, name="image")
    return tf.function(function).get_concrete_function(spec)


def quantised(function, *input_type):
    return to_int8(to_float(graph_of(function)), iter(IMAGES), *input_type)


def run(content, image):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    (result,) = interpreter.get_output_details()
    interpreter.set_tensor(source["index"], as_input(image, source["dtype"]))
    interpreter.invoke()
    return interpreter.get_tensor(result["index"]), source, result


@pytest.mark.parametrize(
    "input_type, zero_point", [("int8", 0), ("uint8", 128)]
)
def test_the_input_is_the_bytes_of_an_image(input_type, zero_point):
    content = quantised(convolve, input_type)
    verify_int8(content)
    found, source, result = run(content, IMAGES[0][None])
    assert source["dtype"] == np.dtype(input_type)
    assert source["quantization"] == (pytest.approx(2 / 255), zero_point)
    expected = convolve(scale_bytes(IMAGES[0][None])).numpy()
    step = result["quantization"][0]
    error = np.abs(dequantize(found, result) - expected)
    assert error.max() < 2 * step + 1e-6


def test_labels_are_integers_of_int32():
    def labels(x):
        return tf.argmax(convolve(x), axis=-1, output_type=tf.int32)

    content = quantised(labels)
    verify_int8(content, "labels")
    found, *_ = run(content, IMAGES[0][None])
    assert found.dtype == np.int32 and found.shape == SHAPE[:3]
    with pytest.raises(UserError, match="ARG_MAX, which does not map"):
        verify_int8(content, "logits")


@pytest.mark.parametrize(
    "function, fault",
    [
        (lambda x: convolve(x) / (2 + tf.nn.relu(convolve(x))), "DIV"),
        (lambda x: tf.square(convolve(x)), "SQUARE"),
        (lambda x: tf.tile(convolve(x), [1, 2, 2, 1]), "TILE"),
        (
            lambda x: tf.image.resize(convolve(x[:, :1, :1]), (8, 12)),
            "RESIZE_BILINEAR of a single pixel",
        ),
    ],
)
def test_an_operator_that_cannot_map_is_named(function, fault):
    content = quantised(function)
    with pytest.raises(UserError, match=fault):
        verify_int8(content)


def test_a_version_above_the_compilers_is_named():
    def grouped(x):
        kernel = tf.constant(RNG.normal(size=(1, 1, 2, 4)), tf.float32)
        return tf.nn.conv2d(tf.concat([x, x[..., :1]], -1), kernel, 1, "SAME")

    content = quantised(grouped)
    with pytest.raises(UserError, match="CONV_2D version 6 above 5"):
        verify_int8(content)


def test_floating_point_is_named():
    content = to_float(graph_of(convolve))
    with pytest.raises(UserError, match="CONV_2D on floating-point numbers"):
        verify_int8(content)
    assert [op.name for op in read_graph(content).operators] == ["CONV_2D"]

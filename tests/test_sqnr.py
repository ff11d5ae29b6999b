"""Signal to noise, on a network with an operator that int8 ruins."""

import json

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from deepgbass.errors import UserError
from deepgbass.export.sqnr import LIMIT_DB, OpSqnr, SqnrTable, measure_sqnr
from deepgbass.keras_api import keras

SIZE = (12, 16)
SHAPE = (1, *SIZE, 3)


def images(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (count, *SIZE, 3)).astype(np.float32)


def network(channels):
    """The concatenation gives `faint_add` the scale of what it is next to."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    image = keras.Input(SHAPE[1:], 1)
    x = layers.Conv2D(channels, 3, padding="same", name="stem")(image)
    loud = layers.ReLU(name="stem_relu")(x)
    soft = layers.Conv2D(
        channels,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=1e-3),
        name="soft",
    )(loud)
    faint = layers.Add(name="faint_add")([soft, soft])
    x = layers.Concatenate(name="both")([loud, faint])
    return keras.Model(image, layers.Conv2D(3, 1, name="head")(x), name="net")


def convert(model, calibration=None):
    function = tf.function(lambda x: model(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec(SHAPE, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [concrete], model
    )
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[None]] for image in calibration
        )
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        # A cast in front, which the float form lacks.
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
    return converter.convert()


@pytest.fixture(scope="module")
def forms():
    """A float and an int8 model of one network."""
    model = network(4)
    return convert(model), convert(model, images(8))


@pytest.fixture(scope="module")
def table(forms):
    return measure_sqnr(*forms, images(4, seed=1))


def outputs(content, batch):
    """Real values that a model gives, and its input's rounding undone."""
    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=(
            OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        ),
    )
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    (result,) = interpreter.get_output_details()
    found = []
    for image in batch[:, None]:
        scale, zero = source["quantization"]
        if scale:
            image = np.rint(image / scale) + zero
            image = np.clip(image, 0, 255).astype(np.uint8)
        interpreter.set_tensor(source["index"], image)
        interpreter.invoke()
        values = interpreter.get_tensor(result["index"]).astype(np.float64)
        scale, zero = result["quantization"]
        found.append((values - zero) * scale if scale else values)
    return np.array(found)


def renamed(content, prefix):
    """The model with every tensor's name replaced."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        tensor.name = f"{prefix}{index}"
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_names_the_operator_that_int8_ruins(table):
    assert table.worst.op == "ADD" and table.worst.name == "faint_add"
    assert table.worst.db < 10
    assert table.worst_block.block == "faint"
    assert table.greatest_loss.name == "faint_add"
    others = [row.db for row in table.rows if row.name != "faint_add"]
    assert len(others) == 4 and min(others) > 25
    assert table.unmatched == ()


def test_the_last_ratio_is_that_of_the_output(forms, table):
    batch = images(4, seed=1)
    x, q = (outputs(content, batch) for content in forms)
    expected = 10 * np.log10(np.sum(x**2) / np.sum((x - q) ** 2))
    assert table.rows[-1].name == "output"
    assert table.rows[-1].db == pytest.approx(expected, abs=0.01)
    assert table.images == 4


def test_losses_are_against_the_worst_input(table):
    by_name = {row.name: row for row in table.rows}
    both = by_name["both"]
    assert both.lost_db == pytest.approx(
        by_name["faint_add"].db - both.db, abs=0.02
    )
    assert by_name["stem_relu"].lost_db is None


def test_needs_no_names_in_common(forms, table):
    reference, quantized = forms
    found = measure_sqnr(
        renamed(reference, "a"), renamed(quantized, "b"), images(4, seed=1)
    )
    assert [row.db for row in found.rows] == [row.db for row in table.rows]
    assert found.unmatched == ()


def test_a_model_against_itself_is_exact(forms):
    found = measure_sqnr(forms[0], forms[0], images(1))
    assert {row.db for row in found.rows} == {LIMIT_DB}


def test_json_holds_the_table(table):
    found = json.loads(json.dumps(table.to_json(), allow_nan=False))
    assert found["worst"]["name"] == "faint_add"
    assert len(found["operators"]) == len(table.rows)
    assert found["guided_block_db"] is None


def test_the_guided_block_is_what_it_hands_on():
    rows = (
        OpSqnr(0, "MUL", "decoder_guided_product", "decoder_guided", 1.0, None),
        OpSqnr(1, "ADD", "decoder_guided_add", "decoder_guided", 20.0, None),
        OpSqnr(2, "CONV_2D", "decoder_conv0", "decoder_conv0", 15.0, None),
    )
    table = SqnrTable(rows, (), 1)
    assert table.guided_block == rows[1]
    assert table.worst == rows[0] and table.worst_block == rows[2]
    assert table.greatest_loss is None


def test_refuses_what_cannot_be_compared(forms):
    reference, quantized = forms
    with pytest.raises(UserError, match="no images"):
        measure_sqnr(reference, quantized, [])
    with pytest.raises(UserError, match="input range"):
        measure_sqnr(reference, quantized, 100 * images(1))
    with pytest.raises(UserError, match="an image"):
        measure_sqnr(reference, quantized, [np.zeros((5, 5, 3))])
    other = renamed(convert(network(5)), "other")
    with pytest.raises(UserError, match="of one network"):
        measure_sqnr(other, quantized, images(1))
    with pytest.raises(UserError, match="not a TFLite file"):
        measure_sqnr(b"x" * 100, quantized, images(1))

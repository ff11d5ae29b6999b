"""A text within a `.tflite` file, which is otherwise left as it was."""

import struct

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from fake_edgetpu_compiler import compiled_model, model_with

from deepgbass.errors import UserError
from deepgbass.export.metadata import read_metadata, write_metadata

pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized")

NAME = "our-text"
ZOO = (
    "mobilenet_edgetpu_224_1.0_uint8.tflite",
    "deeplabv3_mnv2_ade20k_int8.tflite",
    "deeplabv3_mnv2_dm05_pascal_quant_edgetpu.tflite",
)


@pytest.fixture(scope="module", params=["int8", "uint8", "float"])
def content(request):
    """A small network, as the converter writes it."""
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4))

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 12, 3), tf.float32)])
    def network(image):
        x = tf.nn.conv2d(image, kernel.astype(np.float32), 2, "SAME")
        return tf.nn.relu(x) + 1.0

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [network.get_concrete_function()]
    )
    if request.param != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: [[image(np.float32)]]
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        kind = tf.dtypes.as_dtype(request.param)
        converter.inference_input_type = kind
        converter.inference_output_type = kind
    return converter.convert()


def image(dtype):
    values = np.random.default_rng(1).integers(0, 128, (1, 8, 12, 3))
    return values.astype(dtype)


def unpacked(content):
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))


def as_plain(value):
    """A schema object as lists and dicts that can be compared."""
    if isinstance(value, (list, tuple)):
        return [as_plain(x) for x in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if hasattr(value, "__dict__"):
        return {key: as_plain(x) for key, x in vars(value).items()}
    return value


def test_nothing_else_changes(content):
    written = write_metadata(content, NAME, b"text")
    assert written.endswith(content)
    assert (len(written) - len(content)) % 16 == 0  # Constants stay aligned.
    before, after = unpacked(content), unpacked(written)
    last, entry = after.buffers.pop(), after.metadata.pop()
    assert entry.name.decode() == NAME
    assert entry.buffer == len(after.buffers)
    assert bytes(last.data) == b"text"
    assert as_plain(after) == as_plain(before)
    assert len(before.metadata) >= 1  # The converter's own stay.


def test_the_network_gives_the_same(content):
    results = []
    for model in (content, write_metadata(content, NAME, b"text")):
        interpreter = Interpreter(model_content=model)
        interpreter.allocate_tensors()
        (source,) = interpreter.get_input_details()
        (result,) = interpreter.get_output_details()
        interpreter.set_tensor(source["index"], image(source["dtype"]))
        interpreter.invoke()
        results.append(interpreter.get_tensor(result["index"]))
    np.testing.assert_array_equal(*results)
    assert results[0].max() > results[0].min()


@pytest.mark.parametrize("name", ZOO)
def test_published_models_keep_everything(shared, name):
    content = (shared / "zoo" / name).read_bytes()
    written = write_metadata(content, NAME, b"x" * 5000)
    assert read_metadata(written, NAME) == b"x" * 5000
    Interpreter(model_content=written)  # Checks every offset.
    before, after = unpacked(content), unpacked(written)
    for field in ("operatorCodes", "signatureDefs", "description", "version"):
        assert as_plain(getattr(after, field)) == as_plain(
            getattr(before, field)
        )
    for old, new in zip(before.buffers, after.buffers, strict=False):
        assert (old.data is None) == (new.data is None)
        assert old.data is None or np.array_equal(old.data, new.data)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100_000])
def test_a_text_of_any_length_comes_back(size):
    text = bytes(i % 251 for i in range(size))
    written = write_metadata(model_with(b"Other"), NAME, text)
    assert read_metadata(written, NAME) == text
    Interpreter(model_content=written)


def test_an_entry_is_replaced_and_others_stay():
    plain = compiled_model()
    one = write_metadata(plain, NAME, b"x" * 999)
    assert write_metadata(one, NAME, b"new") == write_metadata(
        plain, NAME, b"new"
    )
    two = write_metadata(write_metadata(one, "other", b"y"), NAME, b"new")
    assert read_metadata(two, NAME) == b"new"
    assert read_metadata(two, "other") == b"y"
    assert len(unpacked(two).metadata) == 2
    Interpreter(model_content=two)


def test_an_entry_of_a_model_packed_anew_is_found_and_replaced():
    model = unpacked(write_metadata(model_with(b"Other"), NAME, b"old"))
    builder = schema.flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    packed = bytes(builder.Output())
    assert read_metadata(packed, NAME) == b"old"
    written = write_metadata(packed, NAME, b"new")
    assert read_metadata(written, NAME) == b"new"
    assert [entry.name.decode() for entry in unpacked(written).metadata] == [
        NAME
    ]


def test_no_entry_is_none():
    assert read_metadata(compiled_model(), NAME) is None
    written = write_metadata(compiled_model(), "other", b"y")
    assert read_metadata(written, NAME) is None


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\0" * 64, b"{}" * 40])
def test_what_is_no_model_is_refused(content):
    with pytest.raises(UserError, match="TFLite"):
        read_metadata(content, NAME)
    with pytest.raises(UserError, match="no description"):
        write_metadata(content, NAME, b"")


def test_damage_is_never_a_crash_or_an_endless_loop():
    whole = write_metadata(compiled_model(), NAME, b"text")
    refused = 0
    rng = np.random.default_rng(0)
    for length in range(8, len(whole), 7):
        damaged = [whole[:length], bytearray(whole)]
        place = int(rng.integers(8, len(whole) - 4))
        struct.pack_into("<I", damaged[1], place, int(rng.integers(2**32)))
        for content in map(bytes, damaged):
            try:
                read_metadata(content, NAME)
                write_metadata(content, NAME, b"new")
            except UserError:
                refused += 1
    assert refused > 10


def test_constants_behind_the_tables_are_refused():
    model = unpacked(model_with(b"Other"))
    model.buffers[0].offset, model.buffers[0].size = 4096, 8
    builder = schema.flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(UserError, match="behind its tables"):
        write_metadata(bytes(builder.Output()), NAME, b"")

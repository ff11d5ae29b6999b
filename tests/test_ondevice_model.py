"""A model on the device: what goes in, what comes out, what is refused."""

import numpy as np
import pytest
from edgetpu_stand_in import (
    NAMES,
    SIZE,
    build_library,
    description,
    write_model,
    write_pair,
)
from fake_machine import FakeMachine
from tflite_files import Builder

from deepgbass.errors import UserError
from deepgbass.export.description import write_described
from deepgbass.ondevice.delegate import open_accelerator
from deepgbass.ondevice.model import OnDeviceModel
from deepgbass.ondevice.runtime import find_runtime

IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


@pytest.mark.parametrize(
    ("dtype", "offset"), [("int8", -128), ("uint8", 0), ("float32", 0)]
)
def test_the_image_arrives_in_each_type(tmp_path, dtype, offset):
    write_model(tmp_path / "toy.tflite", dtype=dtype)
    model = OnDeviceModel(tmp_path / "toy.tflite")
    output = model(IMAGE)
    assert output.dtype == np.dtype(dtype) and output.shape == (*SIZE, 3)
    np.testing.assert_array_equal(output, IMAGE.astype(int) + offset)
    assert model.description.dataset.class_names == NAMES


def argmax_model(path, output):
    """Labels at the input's size, as an exported model may end with them."""
    builder = Builder()
    source = builder.image(1, *SIZE, 3)
    axis = builder.ints(3)
    result = builder.tensor((1, *SIZE), "int32")
    builder.op(
        "ARG_MAX",
        [source, axis],
        [result],
        options=("ArgMaxOptions", {"outputType": 2}),
    )
    values = description(output=output, dtype="int32")
    write_described(path, builder.content(), values)


@pytest.mark.parametrize("output", ["labels", "full"])
def test_a_model_that_gives_labels(tmp_path, output):
    argmax_model(tmp_path / "toy.tflite", output)
    model = OnDeviceModel(tmp_path / "toy.tflite")
    assert model.output == output
    np.testing.assert_array_equal(model(IMAGE), IMAGE.argmax(-1))


def refused(path, pattern):
    with pytest.raises(UserError, match=pattern) as caught:
        OnDeviceModel(path)
    text = str(caught.value)
    assert str(path) in text and "\n" not in text


@pytest.mark.parametrize(
    ("source", "result", "dtype", "pattern"),
    [
        ((1, 8, 8, 3), (1, 192), "int8", "no segmentation model.*1, 192"),
        ((1, 8, 24), (1, 8, 8, 3), "int8", "input is .*one RGB image"),
        ((1, 8, 8, 4), (1, 8, 8, 4), "int8", "one RGB image"),
        ((2, 8, 8, 3), (2, 8, 8, 3), "int8", "want one image"),
        ((1, 8, 8, 3), (1, 8, 8, 3), "int16", "takes int16"),
    ],
)
def test_what_cannot_segment_is_refused(
    tmp_path, source, result, dtype, pattern
):
    builder = Builder()
    image = builder.image(*source, dtype=dtype)
    output = builder.tensor(result, dtype)
    builder.op("RESHAPE", [image, builder.ints(*result)], [output])
    path = tmp_path / "other.tflite"
    path.write_bytes(builder.content())
    refused(path, pattern)


def test_two_inputs_are_refused(tmp_path):
    builder = Builder()
    images = [builder.image(1, 8, 8, 3), builder.image(1, 8, 8, 3)]
    builder.op("ADD", images, [builder.tensor((1, 8, 8, 3))])
    path = tmp_path / "two.tflite"
    path.write_bytes(builder.content())
    refused(path, "2 inputs and 1 outputs")


def test_a_model_without_a_description_is_refused(tmp_path):
    builder = Builder()
    builder.unary("RELU", builder.image(1, 8, 8, 3))
    path = tmp_path / "bare.tflite"
    path.write_bytes(builder.content())
    refused(path, "no bare.json beside it.*export it again")


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ({"size": (8, 8)}, "has the input.*description says"),
        ({"output": "labels"}, "has the output.*labels"),
    ],
)
def test_a_description_of_another_model_is_refused(tmp_path, change, pattern):
    path = tmp_path / "toy.tflite"
    content = write_model(path)
    values = description(**change)
    values["output"]["size"] = list(SIZE)
    write_described(path, content, values)
    refused(path, pattern)


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("no model")
    refused(path, "not a TFLite model")
    refused(tmp_path / "absent.tflite", "cannot be read")


def test_a_compiled_model_needs_an_edge_tpu(tmp_path):
    compiled = write_pair(tmp_path)
    refused(compiled, r"--delegate=edgetpu.*\(toy.tflite\)")


def test_a_published_compiled_model_needs_an_edge_tpu(shared, tmp_path):
    name = "deeplab_mobilenet_edgetpu_slim_cityscapes_quant_edgetpu.tflite"
    content = (shared / "zoo" / name).read_bytes()
    values = description((513, 513), "full")
    classes = [f"class {i}" for i in range(19)]
    values["dataset"] = {"name": "cityscapes", "class_names": classes}
    path = tmp_path / name
    write_described(path, content, values)
    refused(path, "compiled for an Edge TPU")


@pytest.fixture
def accelerator(tmp_path):
    library = build_library(tmp_path)
    machine = FakeMachine(tmp_path / "machine").machine()
    return open_accelerator(find_runtime(), "", str(library), machine)


def test_a_compiled_model_runs_on_the_delegate(tmp_path, accelerator):
    model = OnDeviceModel(write_pair(tmp_path), accelerator=accelerator)
    np.testing.assert_array_equal(model(IMAGE), IMAGE.astype(int) - 128)


@pytest.mark.parametrize(
    ("mode", "pattern"),
    [
        ("version", "needs runtime 14, but this libedgetpu has 13"),
        ("nothing", "did not take the part"),
    ],
)
def test_a_model_that_the_delegate_does_not_take(
    tmp_path, accelerator, monkeypatch, mode, pattern
):
    monkeypatch.setenv("STAND_IN", mode)
    with pytest.raises(UserError, match=pattern):
        OnDeviceModel(write_pair(tmp_path), accelerator=accelerator)


def test_a_device_that_goes_away_is_explained(
    tmp_path, accelerator, monkeypatch
):
    model = OnDeviceModel(write_pair(tmp_path), accelerator=accelerator)
    model(IMAGE)
    monkeypatch.setenv("STAND_IN", "lost:1")
    with pytest.raises(UserError, match="no longer on the bus"):
        model(IMAGE)

"""Fitting an image into a network's input, and undoing it."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf
from edgetpu_stand_in import SIZE, build_library, write_pair
from tiny import tiny_config

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.export.describe import describe
from deepgbass.export.description import write_described
from deepgbass.letterbox import PADDING, letterbox
from deepgbass.ondevice.model import as_input
from deepgbass.ondevice.postprocess import enlarge_labels
from deepgbass.predictors import (
    Predictor,
    TFLitePredictor,
    dequantize,
    load_predictor,
    logits_to_label,
)

INFO = DatasetInfo("two", ("a", "b"), ((0, 0, 0), (255, 0, 0)), 255, {})


class Brightness(Predictor):
    """A fake network at stride 4: class 1 where the image is bright."""

    def logits(self, image):
        grey = tf.cast(image[None, :, :, :1], tf.float32) / 255 - 0.5
        height, width = self.size
        grey = tf.image.resize(grey, (height // 4, width // 4))
        return tf.concat([-grey, grey], axis=-1)


def test_a_smaller_image_is_padded_at_the_bottom_and_right():
    image = np.full((20, 30, 3), 7, np.uint8)
    padded, content = letterbox(image, (32, 48))
    assert content == (20, 30)
    assert (padded[:20, :30] == 7).all()
    assert (padded[20:] == PADDING).all() and (padded[:, 30:] == PADDING).all()


def test_a_larger_image_is_reduced_without_changing_its_aspect():
    padded, content = letterbox(np.zeros((100, 400, 3), np.uint8), (64, 64))
    assert content == (16, 64)
    assert padded.shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("size", "content"),
    [((10, 20), (24, 48)), ((96, 64), (48, 32)), ((1, 9), (5, 48))]
    # Where the input has no room, the image is reduced as ever.
    + [((20, 10), (48, 24)), ((400, 200), (48, 24))],
)
def test_the_longer_side_is_the_wanted_one(size, content):
    image = np.full((*size, 3), 7, np.uint8)
    padded, found = letterbox(image, (48, 64), longer_side=48)
    assert found == content
    assert (padded[: content[0], : content[1]] == 7).all()
    assert (padded == 7).sum() == 3 * content[0] * content[1]


@pytest.mark.parametrize("longer_side", [None, 64])
@pytest.mark.parametrize(
    "size", [(64, 96), (64, 50), (31, 96), (128, 192), (130, 40), (1, 1)]
)
def test_labels_have_the_size_of_the_image(size, longer_side):
    image = np.full((*size, 3), 255, np.uint8)
    label = Brightness(INFO, (64, 96), longer_side)(image)
    assert label.shape == size and label.dtype == np.int32
    assert (label == 1).all()


@pytest.mark.parametrize("longer_side", [None, 96])
@pytest.mark.parametrize("size", [(64, 96), (128, 192), (40, 60)])
def test_an_edge_stays_where_it_is(size, longer_side):
    image = np.zeros((*size, 3), np.uint8)
    column = size[1] // 2
    image[:, column:] = 255
    label = Brightness(INFO, (64, 96), longer_side)(image)
    expected = (image[..., 0] > 0).astype(int)
    wrong = np.flatnonzero((label != expected).any(axis=0))
    # Never more than half a logit's pixel off, 4 pixels at factor 2.
    assert wrong.size == 0 or np.abs(wrong - column).max() <= 4


def test_a_byte_stays_itself_in_every_input():
    image = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(as_input(image, np.uint8), image)
    as_int8 = as_input(image, np.int8)
    assert as_int8.dtype == np.int8
    np.testing.assert_array_equal(as_int8, np.arange(-128, 128))
    as_float = as_input(image, np.float32)
    assert as_float.dtype == np.float32 and as_float.tolist() == image.tolist()


def test_integers_stand_for_multiples_of_the_scale():
    details = {"quantization": (0.5, -3)}
    values = dequantize(np.array([-3, 127, -128], np.int8), details)
    assert values.tolist() == [0.0, 65.0, -62.5]


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("few", [(6, 8), (24, 32)])
def test_each_pixel_gets_the_nearest_label(few, aligned):
    size, content, native = (24, 32), (20, 32), (40, 64)
    labels = np.arange(few[0] * few[1], dtype=np.int32).reshape(few)
    found = enlarge_labels(labels, size, content, native, aligned)
    assert found.shape == native and found.dtype == np.int32
    rows, columns = np.divmod(found, few[1])
    for samples, axis in ((rows, 0), (columns, 1)):
        n, m = few[axis], size[axis]
        # Where samples and pixels lie in the network's input.
        at = (np.arange(n) + 0.5) * m / n - 0.5
        if aligned:
            at = np.arange(n) * (m - 1) / (n - 1)
        pixels = (np.arange(native[axis]) + 0.5) * content[axis]
        pixels = pixels / native[axis] - 0.5
        distances = np.abs(pixels[:, None] - at)
        pixels_of = np.moveaxis(samples, axis, 0)
        chosen = np.take_along_axis(distances, pixels_of, axis=1)
        np.testing.assert_allclose(
            chosen, np.broadcast_to(distances.min(1)[:, None], chosen.shape)
        )


def to_tflite(function, *shape):
    """A float TFLite model of a function of one tensor, as bytes."""
    concrete = tf.function(function).get_concrete_function(
        tf.TensorSpec(shape, tf.float32)
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.allow_custom_ops = True
    return converter.convert()


def two_logits(image):
    return tf.stack([image[..., 0], image[..., 1]], axis=-1)


def two_labels(image):
    return tf.argmax(two_logits(image), axis=-1, output_type=tf.int32)


SHAPE = (1, 8, 12, 3)


@pytest.fixture(scope="module")
def described():
    """A model of two logits, and what its export would say of it."""
    content = to_tflite(two_logits, *SHAPE)
    return content, describe(content, INFO, tiny_config(), quantization="float")


def write_model(folder, content, values):
    path = folder / "m.tflite"
    write_described(path, content, values)
    return path


def assert_refused(path, message):
    with pytest.raises(UserError, match=message) as error:
        load_predictor(path)
    assert str(path.parent) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_described_model_predicts(tmp_path, described):
    predictor = load_predictor(write_model(tmp_path, *described))
    assert predictor.size == (8, 12) and predictor.info == INFO
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    np.testing.assert_array_equal(
        predictor(image), image[..., 1] > image[..., 0]
    )


@pytest.mark.parametrize("output, every", [("labels", 2), ("full", 1)])
def test_a_model_of_labels_predicts(tmp_path, output, every):
    def function(image):
        return two_labels(image[:, ::every, ::every])

    content = to_tflite(function, *SHAPE)
    options = {"quantization": "float", "output": output}
    values = describe(content, INFO, tiny_config(), **options)
    predictor = TFLitePredictor(write_model(tmp_path, content, values))
    # Blocks of 2 x 2 pixels, so that every second one is enough.
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    image = image.repeat(2, axis=0).repeat(2, axis=1)
    label = predictor(image)
    assert label.dtype == np.int32
    np.testing.assert_array_equal(label, image[..., 1] > image[..., 0])
    with pytest.raises(UserError, match=f"gives {output}, not logits"):
        predictor.logits(image)


def test_an_exported_model_keeps_the_rule_of_its_training(tmp_path, described):
    content, _ = described
    data = dataclasses.replace(tiny_config().data, resize_longer_side=64)
    config = dataclasses.replace(tiny_config(), data=data)
    values = describe(content, INFO, config, quantization="float")
    path = write_model(tmp_path, content, values)
    assert load_predictor(path).longer_side == 64


def test_a_model_that_says_nothing_of_itself_is_refused(tmp_path, described):
    path = tmp_path / "m.tflite"
    path.write_bytes(described[0])
    assert_refused(path, r"m\.tflite has no m\.json beside it")


@pytest.mark.parametrize("cut", [0, 100, 0.5, "noise"])
def test_a_corrupt_model_is_named(tmp_path, described, cut):
    path = write_model(tmp_path, *described)
    content = path.read_bytes()
    if cut == "noise":
        # The head stays: it makes a TFLite file of it.
        noise = np.random.default_rng(0).bytes(len(content) - 8)
        content = content[:8] + noise
    else:
        content = content[: int(cut * len(content)) if cut < 1 else cut]
    sidecar = json.loads(path.with_suffix(".json").read_text())
    write_digest(path, content, sidecar)
    assert_refused(path, r"m\.tflite")


def write_digest(path, content, sidecar):
    """A file that was corrupt when its description was written."""
    digest = hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    text = json.dumps(sidecar | {"sha256": digest})
    path.with_suffix(".json").write_text(text)


def test_custom_operators_are_named(tmp_path, described):
    def custom(image):
        logits = two_logits(image)
        square = tf.linalg.cholesky(
            tf.transpose(logits[:, :, :8], [0, 3, 1, 2])
        )
        return logits + tf.reduce_sum(square)

    path = tmp_path / "m.tflite"
    write_digest(path, to_tflite(custom, *SHAPE), described[1])
    assert_refused(path, r"m\.tflite has the custom operator \w*Cholesky")


def test_a_compiled_model_runs_on_the_edge_tpu(tmp_path):
    compiled = write_pair(tmp_path)
    predictor = TFLitePredictor(compiled, library=str(build_library(tmp_path)))
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    np.testing.assert_array_equal(predictor(image), image.argmax(-1))
    with pytest.raises(UserError, match="compiled for an Edge TPU"):
        TFLitePredictor(compiled, delegate="cpu")


@pytest.mark.parametrize(
    "shape", [(2, 8, 12, 3), (1, 8, 12, 2), (1, 8, 3), (1, None, None, 3), ()]
)
def test_a_model_of_another_input_is_named(tmp_path, described, shape):
    path = tmp_path / "m.tflite"
    write_digest(path, to_tflite(lambda x: 2 * x, *shape), described[1])
    assert_refused(
        path, r"m\.tflite (has the input \[|is no segm.*(in|out)put is \[)"
    )


@pytest.mark.parametrize(
    "function",
    [lambda x: 2 * x, lambda x: x[..., 0]],
    ids=["three classes", "a map of classes"],
)
def test_a_model_of_other_classes_is_named(tmp_path, described, function):
    path = tmp_path / "m.tflite"
    write_digest(path, to_tflite(function, *SHAPE), described[1])
    assert_refused(
        path, r"m\.tflite has the output \[.*logits, \[1, 8, 12, 2\]"
    )


def test_what_is_neither_model_nor_work_directory_is_named(tmp_path):
    with pytest.raises(UserError, match="neither"):
        load_predictor(tmp_path / "absent.tflite")
    with pytest.raises(UserError, match=r"config\.json"):
        load_predictor(tmp_path)


def test_align_corners_is_undone_as_the_network_does_it():
    # One row of logits that cross between its two pixels: with aligned
    # corners the middle lies between the outer columns, else further in.
    logits = tf.constant([[[[1.0, 0.0], [0.0, 0.6]]]])
    size = tf.constant((1, 9))
    labels = {
        aligned: logits_to_label(logits, size, size, size, aligned).numpy()
        for aligned in (True, False)
    }
    ratio = 1 / 1.6
    aligned = np.arange(9) / 8 > ratio
    centred = np.clip((np.arange(9) + 0.5) * 2 / 9 - 0.5, 0, 1) > ratio
    np.testing.assert_array_equal(labels[True][0], aligned)
    np.testing.assert_array_equal(labels[False][0], centred)
    assert (aligned != centred).any()

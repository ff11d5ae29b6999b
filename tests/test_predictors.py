"""Fitting an image into a network's input, and undoing it."""

import json

import numpy as np
import pytest
import tensorflow as tf

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.predictors import (
    PADDING,
    Predictor,
    dequantize,
    letterbox,
    load_predictor,
    logits_to_label,
    quantize,
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


def test_quantising_and_back_is_within_half_a_step():
    details = {"quantization": (0.02, -3), "dtype": np.int8}
    values = np.linspace(-2.4, 2.5, 99, dtype=np.float32)
    back = dequantize(quantize(values, details), details)
    assert np.abs(back - values).max() <= 0.0101
    assert quantize(np.array([1e9, -1e9]), details).tolist() == [127, -128]


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


def write_model(folder, content, sidecar=None):
    """A model beside its description, by default that of `INFO`."""
    if sidecar is None:
        sidecar = json.dumps({"dataset": json.loads(INFO.to_json())}).encode()
    path = folder / "m.tflite"
    path.write_bytes(content)
    (folder / "m.json").write_bytes(sidecar)
    return path


def assert_refused(path, message):
    with pytest.raises(UserError, match=message) as error:
        load_predictor(path)
    assert str(path.parent) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_beside_its_description_predicts(tmp_path):
    path = write_model(tmp_path, to_tflite(two_logits, 1, 8, 12, 3))
    predictor = load_predictor(path)
    assert predictor.size == (8, 12) and predictor.info == INFO
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    np.testing.assert_array_equal(
        predictor(image), image[..., 1] > image[..., 0]
    )


def test_an_exported_model_keeps_the_rule_of_its_training(tmp_path):
    description = {
        "dataset": json.loads(INFO.to_json()),
        "config": {"data": {"resize_longer_side": 6}},
    }
    path = write_model(
        tmp_path,
        to_tflite(two_logits, 1, 8, 12, 3),
        json.dumps(description).encode(),
    )
    assert load_predictor(path).longer_side == 6
    description["config"] = 3
    (tmp_path / "m.json").write_text(json.dumps(description))
    assert_refused(path, r"m\.json is not the description")


def test_a_model_alone_is_refused(tmp_path):
    path = write_model(tmp_path, b"")
    (tmp_path / "m.json").unlink()
    assert_refused(path, r"m\.tflite has no m\.json beside it")


@pytest.mark.parametrize(
    "sidecar, reason",
    [
        (b"", "Expecting value"),
        (b"[]", "no key 'dataset'"),
        (b"{}", "no key 'dataset'"),
        (b'{"dataset": 3}', "want a JSON object"),
        (b'{"dataset": {}}', "no key 'name'"),
        (b'{"dataset": {"name": "n", "class_names": 3}}', "wrong type"),
        (b'{"dataset": "\xff"}', "utf-8"),
    ],
)
def test_a_file_that_describes_no_model_is_named(tmp_path, sidecar, reason):
    path = write_model(tmp_path, b"", sidecar)
    assert_refused(path, rf"m\.json is not the description .*{reason}")


def test_a_description_that_cannot_be_read_is_named(tmp_path):
    path = write_model(tmp_path, b"")
    (tmp_path / "m.json").unlink()
    (tmp_path / "m.json").mkdir()
    assert_refused(path, r"m\.json cannot be read")


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = write_model(tmp_path, content)
    assert_refused(path, r"m\.tflite is not a TFLite model")


def test_a_model_with_an_unknown_operator_is_named(tmp_path):
    def custom(image):
        return tf.linalg.cholesky(image[:, :3, :3, 0])[..., None]

    path = write_model(tmp_path, to_tflite(custom, 1, 8, 12, 3))
    assert_refused(path, r"m\.tflite is not a TFLite model .*Cholesky")


@pytest.mark.parametrize(
    "shape", [(2, 8, 12, 3), (1, 8, 12, 2), (1, 8, 3), (1, None, None, 3), ()]
)
def test_a_model_of_another_input_is_named(tmp_path, shape):
    path = write_model(tmp_path, to_tflite(lambda x: 2 * x, *shape))
    assert_refused(path, r"m\.tflite has the input \[.*, want one RGB image")


@pytest.mark.parametrize(
    "function",
    [lambda x: 2 * x, lambda x: x[..., 0]],
    ids=["three classes", "a map of classes"],
)
def test_a_model_of_other_classes_is_named(tmp_path, function):
    path = write_model(tmp_path, to_tflite(function, 1, 8, 12, 3))
    assert_refused(path, r"m\.tflite has the output \[.* m\.json names 2 cl")


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

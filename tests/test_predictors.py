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
    TFLitePredictor,
    dequantize,
    letterbox,
    load_predictor,
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
    "size", [(64, 96), (64, 50), (31, 96), (128, 192), (130, 40), (1, 1)]
)
def test_labels_have_the_size_of_the_image(size):
    image = np.full((*size, 3), 255, np.uint8)
    label = Brightness(INFO, (64, 96))(image)
    assert label.shape == size and label.dtype == np.int32
    assert (label == 1).all()


@pytest.mark.parametrize("size", [(64, 96), (128, 192), (40, 60)])
def test_an_edge_stays_where_it_is(size):
    image = np.zeros((*size, 3), np.uint8)
    column = size[1] // 2
    image[:, column:] = 255
    label = Brightness(INFO, (64, 96))(image)
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


def test_bad_models_are_named(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"not a model")
    with pytest.raises(UserError, match=r"m\.json"):
        TFLitePredictor(path)
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(UserError, match=r"m\.json"):
        load_predictor(path)
    sidecar = {"dataset": json.loads(INFO.to_json())}
    (tmp_path / "m.json").write_text(json.dumps(sidecar))
    with pytest.raises(UserError, match=r"m\.tflite is not a TFLite model"):
        load_predictor(path)
    with pytest.raises(UserError, match="neither"):
        load_predictor(tmp_path / "absent.tflite")
    with pytest.raises(UserError, match=r"config\.json"):
        load_predictor(tmp_path)

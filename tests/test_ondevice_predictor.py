"""Images of any size through a `.tflite` file, without TensorFlow."""

import json

import numpy as np
import pytest
from edgetpu_stand_in import SIZE, description, write_model
from tflite_files import Builder

from deepgbass import predictors
from deepgbass.export.description import write_described
from deepgbass.ondevice.predictor import open_predictor


def blocks(size, seed=0):
    few = [-(-n // 8) for n in size]
    colors = np.random.default_rng(seed).integers(0, 256, (*few, 3), np.uint8)
    return colors.repeat(8, 0).repeat(8, 1)[: size[0], : size[1]]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("size", [(32, 48), (20, 31), (100, 150)])
def test_labels_are_those_of_the_other_predictors(tmp_path, size, dtype):
    path = tmp_path / "toy.tflite"
    write_model(path, size=(32, 48), dtype=dtype)
    image = blocks(size)
    label = open_predictor(path)(image)
    assert label.shape == size and label.dtype == np.uint8
    expected = predictors.load_predictor(path)(image)
    # Enlarged images are resized in one step here and in two steps there.
    most = 0.03 if size == (100, 150) else 0
    assert np.mean(label != expected) <= most
    assert len(np.unique(label)) == 3


@pytest.mark.parametrize("output", ["labels", "full"])
def test_a_model_of_labels_is_enlarged(tmp_path, output):
    builder = Builder()
    source = builder.image(1, *SIZE, 3)
    result = builder.tensor((1, *SIZE), "int32")
    builder.op(
        "ARG_MAX",
        [source, builder.ints(3)],
        [result],
        options=("ArgMaxOptions", {"outputType": 2}),
    )
    path = tmp_path / "toy.tflite"
    values = description(output=output, dtype="int32")
    write_described(path, builder.content(), values)
    image = blocks(SIZE)
    label = open_predictor(path)(image)
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(label, image.argmax(-1))
    twice = open_predictor(path)(image.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(twice, label.repeat(2, 0).repeat(2, 1))


def test_the_rule_of_the_longer_side_is_kept(tmp_path):
    path = tmp_path / "toy.tflite"
    content = write_model(path, size=(32, 48))
    values = json.loads(path.with_suffix(".json").read_text())
    values["input"]["longer_side"] = 24
    write_described(path, content, values)
    predictor, seen = open_predictor(path), []
    run = predictor.model.set_input
    predictor.model.set_input = lambda image: (seen.append(image), run(image))
    predictor(np.full((8, 6, 3), 7, np.uint8))
    assert (seen[0] == 7).all(-1).sum() == 24 * 18

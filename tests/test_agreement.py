"""Comparing the Edge TPU's output with the CPU's, and with the right twin."""

import pathlib

import numpy as np
import pytest
from edgetpu_stand_in import SIZE, write_compiled, write_model, write_pair

from deepgbass.errors import UserError
from deepgbass.export.description import read_description
from deepgbass.ondevice import agreement
from deepgbass.ondevice.model import OnDeviceModel
from deepgbass.ondevice.pictures import load_pictures


class Fake:
    """A model that gives one output whatever it is shown."""

    size = SIZE
    path = pathlib.Path("m.tflite")

    def __init__(self, given, output="logits"):
        self.given, self.output = given, output

    def __call__(self, image):
        return self.given


def twin_of(path, given=None):
    return agreement.find_twin(path, read_description(path), given)


def test_the_twin_lies_beside_the_compiled_model(tmp_path):
    compiled = write_pair(tmp_path)
    assert twin_of(compiled) == tmp_path / "toy.tflite"
    moved = tmp_path / "elsewhere.tflite"
    (tmp_path / "toy.tflite").rename(moved)
    with pytest.raises(UserError, match="toy.tflite.*--cpu_model"):
        twin_of(compiled)
    assert twin_of(compiled, moved) == moved


def test_another_model_in_the_twins_place_is_refused(tmp_path):
    compiled = write_pair(tmp_path)
    write_model(tmp_path / "toy.tflite", dtype="uint8")
    with pytest.raises(UserError, match="another SHA-256"):
        twin_of(compiled)


def test_a_name_that_tells_no_twin_asks_for_it(tmp_path):
    path = tmp_path / "compiled.tflite"
    write_compiled(path, write_model(tmp_path / "toy.tflite"))
    with pytest.raises(UserError, match="--cpu_model"):
        twin_of(path)


def test_a_description_that_names_no_source_is_refused(tmp_path):
    path = tmp_path / "toy_edgetpu.tflite"
    write_model(path)
    write_model(tmp_path / "toy.tflite")
    with pytest.raises(UserError, match="does not say from which model"):
        twin_of(path)


def test_a_model_agrees_with_itself(tmp_path):
    write_model(tmp_path / "toy.tflite")
    model = OnDeviceModel(tmp_path / "toy.tflite")
    found = agreement.compare(model, model, load_pictures([], SIZE))
    assert (found.equal, found.largest_difference) == (1.0, 0.0)
    assert found.reference == "toy.tflite"
    agreement.require(found, "toy")


def test_differences_are_counted_where_the_class_changes():
    logits = np.zeros((2, 5, 3), np.int8)
    logits[..., 0] = 100
    changed = logits.copy()
    changed[0, 0] = [-128, 127, 0]  # Another class.
    changed[1, 1] = [90, 0, 0]  # The same class.
    found = agreement.compare(Fake(changed), Fake(logits), [None])
    assert found.equal == pytest.approx(0.9)
    assert found.largest_difference == 228
    with pytest.raises(UserError, match="90.00 %.*up to 228.*no time"):
        agreement.require(found, "m_edgetpu.tflite")


def test_ninety_nine_per_cent_are_enough():
    labels = np.zeros((10, 10), np.uint8)
    one, two = labels.copy(), labels.copy()
    one[0, 0] = 1
    two[0, :2] = 1
    reference = Fake(labels, "full")
    found = agreement.compare(Fake(one, "full"), reference, [None])
    assert found.largest_difference is None
    agreement.require(found, "m")
    found = agreement.compare(Fake(two, "full"), reference, [None])
    with pytest.raises(UserError, match="98.00 %"):
        agreement.require(found, "m")


def test_models_of_other_kinds_and_broken_ones_are_refused():
    labels, logits = np.zeros((4, 4)), np.zeros((4, 4, 3), np.float32)
    with pytest.raises(UserError, match="not the twin"):
        agreement.compare(Fake(logits), Fake(labels, "full"), [None])
    broken = logits.copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(UserError, match="not finite"):
        agreement.compare(Fake(broken), Fake(logits), [None])


def test_made_up_pictures_are_scenes_and_stay_the_same():
    first, again = load_pictures([], (20, 30)), load_pictures([], (20, 30))
    np.testing.assert_array_equal(first, again)
    assert len(first) == 4 and first[0].shape == (20, 30, 3)
    assert (first[0] != first[1]).any() and first[0].std() > 10


def test_pictures_of_files_get_the_inputs_size(tmp_path):
    from PIL import Image

    path = tmp_path / "photo.png"
    Image.new("L", (7, 5), 90).save(path)
    (picture,) = load_pictures([path], SIZE)
    assert picture.shape == (*SIZE, 3) and (picture == 90).all()
    path.write_text("no image")
    with pytest.raises(UserError, match="photo.png is not a readable image"):
        load_pictures([path], SIZE)

"""Predictions as the servers and scripts of data sets want them."""

import numpy as np
import pytest
from PIL import Image

from deepgbass.data.ade20k import PROTOCOLS, describe
from deepgbass.data.cityscapes_ids import CITYSCAPES, LABELS
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.evaluation.prediction_files import PredictionFiles

OWN = DatasetInfo("own", ("a", "b", "c"))


def test_cityscapes_gets_its_label_ids(tmp_path):
    files = PredictionFiles(tmp_path, CITYSCAPES, "dataset_ids")
    prediction = np.arange(19, dtype=np.int32).reshape(1, 19)
    name = "frankfurt_000000_000294"
    files.write(3, name, prediction)
    path = tmp_path / "dataset_ids" / f"{name}_labelIds.png"
    with Image.open(path) as image:
        assert image.mode == "L"
        found = np.asarray(image)
    ids = {label.name: label.id for label in LABELS}
    expected = [ids[name] for name in CITYSCAPES.class_names]
    assert found.tolist() == [expected]
    assert (found.min(), found.max()) == (7, 33)
    # As TF DeepLab's records call it.
    assert files.path(3, f"{name}_leftImg8bit.png") == str(
        path.relative_to(tmp_path)
    )


def test_train_ids_are_written_as_they_are(tmp_path):
    files = PredictionFiles(tmp_path, CITYSCAPES, "train_ids")
    prediction = np.arange(19, dtype=np.int32).reshape(1, 19)
    files.write(0, "ulm_000000_000019", prediction)
    path = tmp_path / "train_ids" / "ulm_000000_000019_labelTrainIds.png"
    assert np.asarray(Image.open(path)).tolist() == prediction.tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ade20k_has_the_ids_of_scene_parsing(tmp_path, protocol):
    files = PredictionFiles(tmp_path, describe(protocol), "dataset_ids")
    prediction = np.arange(32, dtype=np.int32).reshape(4, 8)
    files.write(0, "ADE_val_00000001", prediction)
    path = tmp_path / "dataset_ids" / "ADE_val_00000001.png"
    assert np.asarray(Image.open(path)).tolist() == prediction.tolist()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("street.jpg", "street.png"),
        ("video.0001", "video.0001.png"),
        ("tour/street.PNG", "tour/street.png"),
        ("../../street.jpg", "street.png"),
        ("/etc/street", "etc/street.png"),
        ("", "000004.png"),
        ("..", "000004.png"),
    ],
)
def test_every_name_gives_a_path_in_the_folder(tmp_path, name, path):
    files = PredictionFiles(tmp_path, OWN, "train_ids")
    assert files.path(4, name) == f"train_ids/{path}"


def test_no_prediction_replaces_that_of_another_image(tmp_path):
    label = np.zeros((2, 2), np.int32)
    files = PredictionFiles(tmp_path, OWN, "train_ids")
    files.write(0, "a.jpg", label)
    files.write(0, "a.jpg", label)
    with pytest.raises(UserError, match="two images would both be train_ids/a"):
        files.write(1, "a.png", label)
    again = PredictionFiles(tmp_path, OWN, "train_ids", {"train_ids/a.png": 0})
    with pytest.raises(UserError, match="two images"):
        again.write(1, "a.png", label)

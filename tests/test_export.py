"""TFLite conversion, predictors and the export of a work directory."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from tiny import SIZE, tiny_config, write_tiny

from deepgbass.configs import load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.pipeline import load_dataset
from deepgbass.errors import UserError
from deepgbass.experiment import make_model, restore_model
from deepgbass.export.exporter import export
from deepgbass.export.tflite import convert, float_ops, list_ops
from deepgbass.predictors import KerasPredictor, TFLitePredictor, load_predictor
from deepgbass.run_evaluation import evaluate_run
from deepgbass.training import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A work directory after two steps, and its data."""
    folder = tmp_path_factory.mktemp("trained")
    data_dir = write_tiny(folder / "data")
    train(tiny_config(steps=2), folder / "run", data_dir)
    return folder / "run", data_dir


@pytest.mark.slow
def test_int8_is_integer_throughout_and_close_to_float(trained, tmp_path):
    workdir, data_dir = trained
    result = export(workdir, tmp_path / "out", data_dir, calibration_images=4)
    content = result.path.read_bytes()
    assert float_ops(content) == []
    names = {name for name, _ in list_ops(content)}
    assert not names & {"DIV", "SQUARE", "TILE", "SPACE_TO_BATCH_ND"}
    assert set(result.metrics) == {"float", "int8"}

    model, _ = restore_model(workdir, batch_size=1)
    dataset = load_dataset(data_dir, "val")
    float_predictor = KerasPredictor(model, dataset.info)
    int8_predictor = load_predictor(result.path)
    for example in dataset.examples():
        expected = float_predictor.logits(example["image"]).numpy()
        found = int8_predictor.logits(example["image"]).numpy()
        error = np.sqrt(np.mean((expected - found) ** 2))
        assert error < 0.25 * np.std(expected)

    description = json.loads(result.path.with_suffix(".json").read_text())
    assert description["input"]["size"] == list(SIZE)
    assert description["metrics"]["int8"] == result.metrics["int8"]
    assert description["operators"]["CONV_2D"] > 40
    assert int8_predictor.info == dataset.info

    # A second export of the same run may replace the first ...
    export(workdir, tmp_path / "out", data_dir, calibration_images=4)
    # ... but not one of another experiment.
    sidecar = result.path.with_suffix(".json")
    description["config"]["train"]["seed"] += 1
    sidecar.write_text(json.dumps(description))
    with pytest.raises(UserError, match="holds another model"):
        export(workdir, tmp_path / "out", data_dir)


@pytest.mark.slow
def test_float_tflite_predicts_like_the_network(tmp_path):
    model = make_model(tiny_config().model, 6, SIZE, batch_size=1)
    info = load_dataset(write_tiny(tmp_path / "data"), "val").info
    path = tmp_path / "model_float.tflite"
    path.write_bytes(convert(model))
    sidecar = {"dataset": json.loads(info.to_json())}
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    keras_label = KerasPredictor(model, info)(image)
    tflite_label = TFLitePredictor(path)(image)
    assert keras_label.shape == (40, 50)
    assert np.mean(keras_label == tflite_label) > 0.999


def test_a_dynamic_batch_is_refused():
    model = make_model(tiny_config().model, 6, SIZE)
    with pytest.raises(UserError, match="static shape"):
        convert(model)


@pytest.mark.slow
def test_data_of_other_classes_are_refused(trained, tmp_path):
    workdir, data_dir = trained
    other = tmp_path / "other"
    shutil.copytree(data_dir, other)
    info = DatasetInfo.load(other)
    names = ("sky", *info.class_names[1:])
    dataclasses.replace(info, class_names=names).save(other)
    with pytest.raises(UserError, match="classes of the data set"):
        export(workdir, tmp_path / "out", other)
    with pytest.raises(UserError, match="classes of the data set"):
        evaluate_run(load_config(workdir), workdir, other)


def test_export_names_an_untrained_folder(tmp_path):
    with pytest.raises(UserError, match=r"config\.json"):
        export(tmp_path, tmp_path / "out")

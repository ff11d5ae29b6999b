"""The export of a work directory: faithful, whole, or refused in time."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from tiny import SIZE, tiny_config, write_tiny

from deepgbass.commands.export import parse_size
from deepgbass.configs import load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.pipeline import load_dataset
from deepgbass.errors import UserError
from deepgbass.experiment import restore_model
from deepgbass.export import exporter
from deepgbass.export.exporter import export
from deepgbass.predictors import KerasPredictor, load_predictor
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
def test_int8_is_close_to_float_and_replaced_only_by_its_own(
    trained, tmp_path, monkeypatch
):
    workdir, data_dir = trained
    folder = tmp_path / "out"
    result = export(workdir, folder, data_dir, calibration_images=4)
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

    # What fails at the end leaves the earlier export whole, and no trace.
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {"model_int8.tflite", "model_int8.json"}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(exporter, "evaluate", interrupted)
        export(workdir, folder, data_dir, calibration_images=1)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}

    # Another size, output or experiment is another model.
    for options in ({"size": (64, 64)}, {"output": "labels"}):
        with pytest.raises(UserError, match="holds another model"):
            export(workdir, folder, data_dir, **options)
    sidecar = result.path.with_suffix(".json")
    description["config"]["train"]["seed"] += 1
    sidecar.write_text(json.dumps(description))
    with pytest.raises(UserError, match="holds another model"):
        export(workdir, folder, data_dir)
    sidecar.unlink()
    with pytest.raises(UserError, match="holds another model"):
        export(workdir, folder, data_dir)


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"quantization": "float", "output": "labels"},
        {"output": "full", "input_type": "uint8", "size": (64, 96)},
    ],
    ids=lambda options: options["output"],
)
def test_every_output_gives_the_labels_of_the_network(
    trained, tmp_path, options
):
    workdir, data_dir = trained
    metrics = {"miou": 0.0}  # Not measured again, only passed on.
    result = export(
        workdir,
        tmp_path,
        data_dir,
        calibration_sampling="boundary",
        float_metrics=metrics,
        max_images=1,
        **options,
    )
    assert result.metrics["float"] == metrics
    predictor = load_predictor(result.path)
    assert predictor.size == options.get("size", SIZE)
    model, _ = restore_model(workdir, predictor.size, batch_size=1)
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    label = predictor(image)
    assert label.shape == (40, 50)
    expected = KerasPredictor(model, predictor.info)(image)
    assert np.mean(label == expected) > 0.7


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": (50, 64)}, "nearest is 48x64"),
        ({"calibration_images": 5}, "'train' has 4 images; choose 1 to 4"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_it_is_restored(
    trained, tmp_path, monkeypatch, options, message
):
    workdir, data_dir = trained
    monkeypatch.setattr(exporter, "restore_model", interrupted)
    with pytest.raises(UserError, match=message):
        export(workdir, tmp_path / "out", data_dir, **options)
    assert not (tmp_path / "out").exists()


def test_the_size_is_read_as_height_and_width():
    assert parse_size("512x1024") == (512, 1024)
    assert parse_size(None) is None


@pytest.mark.parametrize("text", ["512", "512x", "512 x 512", "-1x2", "x", ""])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UserError, match="HEIGHTxWIDTH"):
        parse_size(text)

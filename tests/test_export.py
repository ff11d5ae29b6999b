"""The export of a work directory: faithful, whole, or refused in time."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from image_files import encode
from tiny import SIZE, tiny_config, write_tiny

from deepgbass.commands.export import parse_size
from deepgbass.configs import load_config
from deepgbass.data import tfrecord
from deepgbass.data.dataset_info import IGNORE_LABEL, DatasetInfo
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.record import Example
from deepgbass.errors import UserError
from deepgbass.evaluation.run_evaluation import evaluate_run
from deepgbass.experiment import restore_model
from deepgbass.export import exporter
from deepgbass.export.description import read_description
from deepgbass.export.exporter import export
from deepgbass.predictors import KerasPredictor, load_predictor
from deepgbass.training.loop import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A work directory after two steps, and its data."""
    folder = tmp_path_factory.mktemp("trained")
    data_dir = write_tiny(folder / "data")
    train(tiny_config(steps=2), folder / "run", data_dir)
    return folder / "run", data_dir


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """An int8 export of it, alone in its folder."""
    workdir, data_dir = trained
    folder = tmp_path_factory.mktemp("exported")
    return export(workdir, folder, data_dir, calibration_images=4)


@pytest.mark.slow
def test_int8_is_close_to_float(trained, exported):
    workdir, data_dir = trained
    assert set(exported.metrics) == {"float", "int8"}
    model, _ = restore_model(workdir, batch_size=1)
    dataset = load_dataset(data_dir, "val")
    float_predictor = KerasPredictor(model, dataset.info)
    int8_predictor = load_predictor(exported.path)
    for example in dataset.examples():
        expected = float_predictor.logits(example["image"]).numpy()
        found = int8_predictor.logits(example["image"]).numpy()
        error = np.sqrt(np.mean((expected - found) ** 2))
        assert error < 0.25 * np.std(expected)
    assert int8_predictor.info == dataset.info
    # The same of the table: 12 dB are a quarter.
    assert exported.fidelity.sqnr.rows[-1].db > 12
    assert exported.fidelity.sqnr.images == len(dataset)
    assert exported.fidelity.sqnr.unmatched == ()


@pytest.mark.slow
def test_an_export_says_what_it_is_lost_and_will_map(exported):
    path = exported.path
    names = {file.name for file in exported.files}
    assert names == {file.name for file in path.parent.iterdir()}
    assert names == {
        "model_int8.tflite",
        "model_int8.json",
        "model_int8.fidelity.json",
        "model_int8.preflight.json",
    }
    description = read_description(path).values
    assert description["input"]["size"] == list(SIZE)
    assert description["metrics"]["int8"] == exported.fidelity.metrics
    assert description["operators"]["CONV_2D"] > 40
    summary = description["fidelity"]
    assert summary["drops"] == exported.fidelity.drops
    assert summary["sqnr"]["guided_block_db"] > 0
    assert summary["sqnr"]["worst"]["name"]
    assert description["preflight"]["all_mapped"]
    assert description["preflight"]["fatal_operators"] == 0

    total = description["preflight"]["total"]
    fidelity = json.loads(path.with_suffix(".fidelity.json").read_text())
    assert len(fidelity["sqnr"]["operators"]) == total
    assert fidelity["metrics"] == exported.metrics
    predicted = json.loads(path.with_suffix(".preflight.json").read_text())
    assert (predicted["label"], predicted["mapped"]) == (path.name, total)
    assert predicted["size_bytes"] == path.stat().st_size
    assert len(predicted["operators"]) == total


def interrupted(*_, **__):
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
    result = export(
        workdir,
        tmp_path,
        data_dir,
        calibration_sampling="boundary",
        max_images=1,
        sqnr_images=1,
        **options,
    )
    if options.get("quantization") == "float":
        assert result.preflight is None and result.fidelity.sqnr is None
        assert set(result.metrics) == {"float", "float_tflite"}
        # The same network, but for the order of sums.
        assert result.fidelity.agreement > 0.99
    else:
        causes = {
            p.name for p in result.preflight.operators if p.verdict == "cpu"
        }
        assert "ARG_MAX" in causes
        assert not result.preflight.fatal
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


@pytest.mark.slow
def test_an_earlier_checkpoint_can_be_exported(tmp_path):
    data_dir = write_tiny(tmp_path / "data")
    config = tiny_config(steps=2, checkpoint_every=1)
    train(config, tmp_path / "run", data_dir)
    result = export(
        tmp_path / "run",
        tmp_path / "out",
        data_dir,
        quantization="float",
        checkpoint="1",
    )
    assert result.description["step"] == 1
    # Its weights too: the newest network is another one.
    wanted, _ = restore_model(tmp_path / "run", batch_size=1, which=1)
    newest, _ = restore_model(tmp_path / "run", batch_size=1)
    dataset = load_dataset(data_dir, "val")
    image = next(iter(dataset.examples()))["image"]
    found = load_predictor(result.path).logits(image).numpy()
    logits = [
        KerasPredictor(model, dataset.info).logits(image).numpy()
        for model in (wanted, newest)
    ]
    np.testing.assert_allclose(found, logits[0], atol=1e-4)
    assert np.abs(found - logits[1]).max() > 1e-3


def test_export_names_an_untrained_folder(tmp_path):
    with pytest.raises(UserError, match=r"config\.json"):
        export(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    "options",
    [
        {"quantization": "in8"},
        {"input_type": "float"},
        {"output": "label"},
        {"calibration_sampling": "evne"},
    ],
)
def test_words_that_are_none_are_refused(tmp_path, options):
    ((name, word),) = options.items()
    with pytest.raises(UserError, match=f"{name} is '{word}'; .* one of"):
        export(tmp_path, tmp_path / "out", **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": (50, 64)}, "nearest is 48x64"),
        ({"calibration_images": 5}, "'train' has 4 images; choose 1 to 4"),
        ({"calibration_images": 0}, "choose 1 to 4"),
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


@pytest.mark.slow
def test_a_checkpoint_of_another_network_is_named(trained, tmp_path):
    workdir, data_dir = trained
    other = tmp_path / "run"
    shutil.copytree(workdir, other)
    config = load_config(other).with_overrides(["model.decoder_channels=16"])
    (other / "config.json").write_text(config.to_json())
    with pytest.raises(UserError, match="checkpoint .* does not fit") as caught:
        export(other, tmp_path / "out", data_dir)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_set_without_labels_is_refused_at_once(
    trained, tmp_path, monkeypatch
):
    workdir, data_dir = trained
    unlabelled = tmp_path / "unlabelled"
    unlabelled.mkdir()
    image = encode(np.zeros((*SIZE, 3), np.uint8))
    label = encode(np.full(SIZE, IGNORE_LABEL, np.uint8))
    for split in ("train", "val"):
        examples = [Example(f"{i}", image, label) for i in range(2)]
        tfrecord.write_split(examples, unlabelled, split, 1)
    info = DatasetInfo.load(workdir)
    info = dataclasses.replace(info, splits={}, statistics={}, shards={})
    info.save(unlabelled)
    monkeypatch.setattr(exporter, "restore_model", interrupted)
    with pytest.raises(UserError, match="nothing to learn or measure"):
        export(workdir, tmp_path / "out", unlabelled)
    assert not (tmp_path / "out").exists()


def test_the_size_is_read_as_height_and_width():
    assert parse_size("512x1024") == (512, 1024)
    assert parse_size(None) is None


@pytest.mark.parametrize("text", ["512", "512x", "512 x 512", "-1x2", "x", ""])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UserError, match="HEIGHTxWIDTH"):
        parse_size(text)

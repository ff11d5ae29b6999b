"""Fine-tuning under rounding: the run's own loss, and it can be continued."""

import dataclasses
import json

import numpy as np
import pytest
from guided_network import CLASSES, SIZE, guided_network, images
from tiny import tiny_config, write_tiny

from deepgbass.configs import LossConfig, TrainConfig
from deepgbass.data.pipeline import load_dataset
from deepgbass.errors import UserError
from deepgbass.experiment import claim_workdir
from deepgbass.export import exporter, qat_training
from deepgbass.export.preflight import preflight
from deepgbass.export.qat import activation_ranges
from deepgbass.export.qat_training import fine_tuned, fine_tuning
from deepgbass.keras_api import keras
from deepgbass.layers.conv import ConvStyle, conv_bn
from deepgbass.training import train_step


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return load_dataset(write_tiny(tmp_path_factory.mktemp("data")), "train")


def small_network(size, batch_size):
    image = keras.Input((*size, 3), batch_size, name="image")
    x = keras.layers.Rescaling(2 / 255, -1, name="preprocess")(image)
    style = ConvStyle(0.9, 1e-3, stddev=0.3, depthwise_stddev=0.3)
    x = conv_bn(6, 3, "conv", style, strides=4)(x)
    return keras.Model(image, keras.layers.Conv2D(CLASSES, 1, name="logits")(x))


@pytest.fixture
def tune(dataset, tmp_path, monkeypatch):
    """A function that fine-tunes the small network for so many steps."""
    keras.utils.set_random_seed(0)
    model = small_network(SIZE, 1)
    ranges = activation_ranges(model, images())

    def make_model(config, classes, size):
        assert classes == CLASSES
        return small_network(size, None)

    monkeypatch.setattr(qat_training, "make_model", make_model)
    monkeypatch.setattr(qat_training, "activation_ranges", lambda *_: ranges)
    monkeypatch.setattr(qat_training, "_SAVE_EVERY", 2)
    run = tiny_config(precision="mixed_bfloat16", freeze=("logits",))

    def function(folder, steps=3, rate=1e-3, **idle):
        config = dataclasses.replace(
            run,
            data=dataclasses.replace(run.data, crop_size=SIZE),
            # Sooner traced than the other losses.
            loss=LossConfig("cross_entropy", **idle),
            train=fine_tuning(run.train, steps, rate),
        )
        return fine_tuned(model, (), dataset, config, tmp_path / folder)

    function.model = model
    return function


def kernels(network):
    return {v.name: v.numpy() for v in network.trainable_variables}


@pytest.mark.slow
def test_an_interrupted_fine_tuning_ends_as_one_in_one_go(
    tune, tmp_path, monkeypatch
):
    expected = kernels(tune("whole"))
    before = kernels(tune.model)
    assert set(before) == set(expected)
    # What the run froze learns too; so does all else.
    for name, value in before.items():
        assert np.any(value != expected[name]), name

    steps = []
    call = train_step.TrainStep.__call__

    def interrupted(self, *batch):
        steps.append(int(self.step))
        if len(steps) == 3:
            raise KeyboardInterrupt
        return call(self, *batch)

    monkeypatch.setattr(train_step.TrainStep, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune("parts")
    found = tune("parts")
    assert steps == [0, 1, 2, 2]
    for name, value in kernels(found).items():
        np.testing.assert_array_equal(value, expected[name])
    assert found.input_shape == (1, *SIZE, 3)

    # Done: no step more. Another task: begun anew, in place of the other.
    tune("parts", threshold=0.3)  # Idle in cross-entropy.
    assert len(steps) == 4
    tune("parts", steps=1)
    assert steps[4:] == [0]
    folders = [path.name for path in (tmp_path / "parts").iterdir()]
    assert folders == ["step-00000001"]


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_named_and_not_kept(tune, tmp_path):
    tune.model.get_layer("logits").bias.assign([np.nan] * CLASSES)
    with pytest.raises(UserError, match="not finite at step 1 of 3; try --qat"):
        tune("broken")
    assert not list((tmp_path / "broken").glob("step-*"))


def test_the_fine_tuning_is_the_runs_own_but_plain_adam():
    run = TrainConfig(
        optimizer="sgd", precision="mixed_float16", ema_decay=0.9, clip_norm=1.0
    )
    tuning = fine_tuning(run, 300, 1e-4)
    assert tuning.weight_decay == 0
    assert (tuning.steps, tuning.warmup_steps, tuning.optimizer) == (
        300,
        15,
        "adam",
    )
    assert (tuning.precision, tuning.ema_decay) == ("float32", None)
    assert (tuning.batch_size, tuning.clip_norm) == (run.batch_size, 1.0)


@pytest.mark.parametrize("values", [(0, 1e-4), (5, 0.0), (5, float("nan"))])
def test_steps_and_rate_have_to_be_above_zero(values):
    with pytest.raises(UserError, match=r"--qat_\w+=\S+ is not above 0"):
        fine_tuning(TrainConfig(), *values)


@pytest.mark.slow
def test_the_exporter_fine_tunes_and_measures(dataset, tmp_path, monkeypatch):
    config = tiny_config()
    config = dataclasses.replace(config, loss=LossConfig("cross_entropy"))
    claim_workdir(config, dataset.info, tmp_path / "run")
    size = config.data.eval_size
    monkeypatch.setattr(
        exporter, "restore_model", lambda *_, **__: (guided_network(size), 7)
    )
    monkeypatch.setattr(
        qat_training, "make_model", lambda *_: guided_network(size, None)
    )
    result = exporter.export(
        tmp_path / "run",
        tmp_path / "out",
        dataset.data_dir,
        "qat_int8",
        qat_steps=1,
        sqnr_images=1,
    )
    assert result.path == tmp_path / "out" / "model_qat_int8.tflite"
    assert set(result.metrics) == {"float", "qat_int8"}
    values = json.loads(result.path.with_suffix(".json").read_text())
    assert values["quantization"] == "qat_int8"
    assert values["qat"] == {"steps": 1, "learning_rate": 1e-4}
    assert (tmp_path / "out" / "qat" / "step-00000001").is_dir()
    assert preflight(result.path).all_mapped
    # Of the fine-tuned network's own float form.
    assert result.fidelity.sqnr.rows[-1].db > 20
    assert not result.fidelity.sqnr.unmatched

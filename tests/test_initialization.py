"""A run begins with the weights it was told to, and says which."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from test_zoo_loading import slim_name
from tf1_reference import write_checkpoint
from tiny import tiny_config, write_tiny

from deepgbass import experiment
from deepgbass.data.pipeline import load_dataset, training_batches
from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.training import initialization
from deepgbass.training.checkpoints import Checkpoints
from deepgbass.training.loop import _Loop, train
from deepgbass.zoo.recalibration import recalibrate_batch_norm


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def dataset(data_dir):
    return load_dataset(data_dir, "train")


def backbone_layers(model):
    return [
        layer
        for layer in model.layers
        if layer.weights and layer.name.startswith(("Conv", "expanded"))
    ]


@pytest.fixture(scope="module")
def slim(tmp_path_factory, dataset):
    """A slim checkpoint with a classifier, as ImageNet's have."""
    model = experiment.make_model(tiny_config().model, 2, (48, 64))
    r = np.random.default_rng(0)
    values = {
        slim_name(v): r.uniform(0.5, 1, v.shape).astype("float32")
        for layer in backbone_layers(model)
        for v in layer.weights
    }
    values["MobilenetEdgeTPU/Logits/Conv2d_1c_1x1/biases"] = np.ones(9, "f4")
    values["global_step"] = np.int64(7)
    path = tmp_path_factory.mktemp("slim") / "model.ckpt"
    return write_checkpoint(path, values), values


def loop_of(config, workdir, dataset):
    saved = Checkpoints(workdir, config)
    return _Loop(
        config, dataset, saved, tf.distribute.get_strategy(), saved.step
    )


def test_a_new_run_loads_the_backbone_and_a_resumed_one_nothing(
    slim, dataset, tmp_path, capsys
):
    source, values = slim
    path = tmp_path / "model.ckpt"
    for file in source.parent.glob("model.ckpt*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = tiny_config(init_weights=str(path))
    (tmp_path / "run").mkdir()

    loop = loop_of(config, tmp_path / "run", dataset)
    said = capsys.readouterr().out
    assert "TF1 checkpoint" in said and "Random weights" not in said
    layers = backbone_layers(loop.model)
    for layer in layers:
        for v in layer.weights:
            np.testing.assert_array_equal(v, values[slim_name(v)])
    # The head is that of a run from random weights.
    random = loop_of(tiny_config(), tmp_path / "run", dataset).model
    assert "Random weights" in capsys.readouterr().out
    for layer in random.layers:
        if layer.weights and layer.name not in {x.name for x in layers}:
            for old, new in zip(
                layer.get_weights(),
                loop.model.get_layer(layer.name).get_weights(),
                strict=True,
            ):
                np.testing.assert_array_equal(old, new)

    layers[0].weights[0].assign_add(np.ones(layers[0].weights[0].shape))
    trained = loop.model.get_weights()
    loop.checkpoints.save(1, loop.state)
    # The file may be gone by then.
    for file in tmp_path.glob("model.ckpt*"):
        file.unlink()
    resumed = loop_of(config, tmp_path / "run", dataset)
    said = capsys.readouterr().out
    assert "Resuming" in said and "loaded" not in said
    for old, new in zip(trained, resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def opened(*_):
    raise AssertionError("data were opened")


def refuse(monkeypatch, tmp_path, config, named):
    monkeypatch.setattr(experiment, "open_split", opened)
    with pytest.raises(UserError, match=named) as caught:
        train(config, tmp_path / "run", tmp_path / "data")
    assert str(caught.value).startswith("train.init_weights: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_missing_or_wrong_file_is_named_before_anything_is_built(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(experiment, "make_model", None)
    (tmp_path / "note.tflite").write_text("not weights")
    for name, said in (("none.ckpt", "no such file"), ("note.tflite", "note")):
        config = tiny_config(init_weights=str(tmp_path / name))
        refuse(monkeypatch, tmp_path, config, said)


def test_weights_of_another_network_are_refused_before_data_are_read(
    slim, monkeypatch, tmp_path, capsys
):
    config = tiny_config(init_weights=str(slim[0]))
    other = dataclasses.replace(config.model, depth_multiplier=0.5)
    wide = dataclasses.replace(config, model=other)
    refuse(monkeypatch, tmp_path, wide, "in the file but")
    # What fits passes in silence, up to the data.
    capsys.readouterr()
    with pytest.raises(AssertionError, match="data were opened"):
        train(config, tmp_path / "run", tmp_path / "data")
    assert not capsys.readouterr().out


def batch_norms(model):
    return {
        layer.name: layer.get_weights()
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }


def test_folded_batch_norms_get_the_statistics_of_the_first_crops(
    dataset, monkeypatch
):
    """With a stand-in for the `.tflite` file: the zoo's tests read those."""
    config = tiny_config(init_weights="stand-in")
    model = experiment.make_model(config.model, 6, config.data.crop_size)
    names = batch_norms(model)
    loaded = [n for n in names if n.startswith(("Conv", "expanded"))]
    new = set(names) - set(loaded)
    assert loaded and new

    @dataclasses.dataclass
    class Report:
        format: str
        loaded: list

    report = Report("TFLite", [f"{name}/beta" for name in loaded])
    monkeypatch.setattr(initialization, "load_zoo_weights", lambda *_: report)
    start = model.get_weights()
    expected_model = keras.models.clone_model(model)
    expected_model.set_weights(start)
    initialization.initialize(model, config, dataset)
    found = batch_norms(model)

    batches = training_batches(
        dataset, config.data, batch_size=16, seed=config.train.seed
    )
    images, _ = next(iter(batches))
    recalibrate_batch_norm(expected_model, images.numpy())
    expected = batch_norms(expected_model)
    for name in loaded:
        for a, b in zip(found[name], expected[name], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for name in new:
        for a, b in zip(found[name], names[name], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_imagenet_weights_of_a_tflite_file_start_a_run(
    shared, data_dir, tmp_path, capsys
):
    path = shared / "zoo" / "mobilenet_edgetpu_224_1.0_uint8.tflite"
    config = tiny_config(init_weights=str(path), steps=2, learning_rate=1e-4)
    model = dataclasses.replace(config.model, depth_multiplier=1.0)
    config = dataclasses.replace(config, model=model)
    train(config, tmp_path / "run", data_dir)
    said = capsys.readouterr().out
    assert said.count("(TFLite)") == 1
    assert "batch norms recalibrated on 16 training crops" in said
    network, step = experiment.restore_model(tmp_path / "run")
    assert step == 2
    assert all(np.isfinite(w).all() for w in network.get_weights())

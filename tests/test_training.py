"""Training: it learns, stops when asked, and goes on where it was."""

import dataclasses
import os
import signal

import numpy as np
import pytest
import tensorflow as tf
from tiny import tiny_config, write_tiny

from deepgbass.configs import LossConfig, load_config
from deepgbass.errors import UserError
from deepgbass.experiment import checkpoint_dir, restore_model
from deepgbass.history import read_curves
from deepgbass.training import Interrupted, train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("data"))


def test_a_stopped_run_goes_on_where_it_was(data_dir, tmp_path, capsys):
    workdir = tmp_path / "run"
    config = tiny_config(eval_every=3)

    def ask_to_stop():
        os.kill(os.getpid(), signal.SIGTERM)
        return {"miou": 0.5}

    with pytest.raises(Interrupted, match="stopped at step 4 of 6") as caught:
        train(config, workdir, data_dir, on_eval=ask_to_stop)
    assert caught.value.status == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    train(config, workdir, data_dir)
    output = capsys.readouterr().out.replace("\n", " ")
    assert "Resuming at step 4 of 6" in output and "ckpt-4" in output
    curves = read_curves(workdir / "history.jsonl")
    assert [step for step, _ in curves["total"]] == [1, 2, 3, 4, 5, 6]
    assert curves["miou"] == [(3, 0.5)]
    assert {"sbl", "wce", "learning_rate", "images_per_second"} <= set(curves)
    assert load_config(workdir) == config
    assert restore_model(workdir)[1] == 6
    assert list((workdir / "tensorboard").iterdir())

    # A finished run is left alone.
    before = os.stat(checkpoint_dir(workdir) / "ckpt-6.index").st_mtime_ns
    train(config, workdir, data_dir)
    after = os.stat(checkpoint_dir(workdir) / "ckpt-6.index").st_mtime_ns
    assert before == after

    # Another experiment is refused, and the message says what differs.
    other = dataclasses.replace(config, loss=LossConfig(sbl_weight=2.0))
    with pytest.raises(UserError, match=r"loss\.sbl_weight \(1\.0 there, 2\.0"):
        train(other, workdir, data_dir)
    with pytest.raises(UserError, match="the data set"):
        train(config, workdir, write_tiny(tmp_path / "more", train=5))


@pytest.mark.parametrize("name", ["cross_entropy", "sbl"])
def test_the_rivals_train_too(data_dir, tmp_path, name):
    config = tiny_config(steps=2)
    config = dataclasses.replace(config, loss=LossConfig(name=name))
    train(config, tmp_path / "run", data_dir)
    curves = read_curves(tmp_path / "run" / "history.jsonl")
    assert len(curves["total"]) == 2
    assert ("sbl" in curves) == (name == "sbl")


def test_a_loss_that_is_not_finite_stops_the_run(data_dir, tmp_path):
    config = tiny_config(learning_rate=1e30, warmup_steps=0, optimizer="sgd")
    with pytest.raises(UserError, match="not finite at step") as caught:
        train(config, tmp_path / "run", data_dir)
    # What it calls sound is sound.
    newest = tf.train.latest_checkpoint(checkpoint_dir(tmp_path / "run"))
    assert str(newest or "none yet") in str(caught.value)
    if newest:
        model, _ = restore_model(tmp_path / "run")
        assert all(np.isfinite(w).all() for w in model.get_weights())


def test_records_without_a_folder_are_asked_for(tmp_path):
    with pytest.raises(UserError, match="--data_dir"):
        train(tiny_config(), tmp_path / "run")


def test_a_damaged_checkpoint_is_named(data_dir, tmp_path):
    workdir = tmp_path / "run"
    train(tiny_config(steps=2), workdir, data_dir)
    (data,) = checkpoint_dir(workdir).glob("ckpt-2.data*")
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(UserError, match="ckpt-2 is damaged"):
        restore_model(workdir)
    with pytest.raises(UserError, match="ckpt-2 is damaged"):
        train(tiny_config(steps=2), workdir, data_dir)


def test_restoring_names_what_is_missing(data_dir, tmp_path):
    with pytest.raises(UserError, match=r"config\.json"):
        restore_model(tmp_path)

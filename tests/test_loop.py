"""Training: it learns, stops when asked, and goes on where it was."""

import dataclasses
import errno
import os
import signal

import numpy as np
import pytest
from fake_meter import FakeGallery, FakeMeter
from kill_training import make_model
from tiny import tiny_config, write_tiny

from deepgbass import experiment
from deepgbass.configs import LossConfig, load_config
from deepgbass.errors import UserError
from deepgbass.reports.history import History, read_curves
from deepgbass.training import monitor
from deepgbass.training.checkpoints import (
    Checkpoints,
    alone,
    checkpoint_dir,
    find,
)
from deepgbass.training.loop import Interrupted, train

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_convolution_and_no_pictures(monkeypatch):
    monkeypatch.setattr(experiment, "make_model", make_model)
    monkeypatch.setattr(monitor, "Gallery", lambda *_: FakeGallery())
    monkeypatch.setattr(monitor, "report_progress", lambda *_, **__: None)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("data"))


def test_a_stopped_run_goes_on_where_it_was(data_dir, tmp_path, capsys):
    workdir = tmp_path / "run"
    config = tiny_config(eval_every=3)

    def ask_to_stop():
        os.kill(os.getpid(), signal.SIGTERM)
        return {"miou": 0.5, "mbf": 0.25}

    with pytest.raises(Interrupted, match="stopped at step 4 of 6") as caught:
        train(config, workdir, data_dir, FakeMeter(ask_to_stop))
    assert caught.value.status == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    train(config, workdir, data_dir)
    output = capsys.readouterr().out.replace("\n", " ")
    assert "Resuming at step 4 of 6" in output and "step-00000004" in output
    curves = read_curves(workdir / "history.jsonl")
    assert [step for step, _ in curves["total"]] == [1, 2, 3, 4, 5, 6]
    assert curves["miou"] == [(3, 0.5)]
    assert {"sbl", "wce", "learning_rate", "images_per_second"} <= set(curves)
    assert load_config(workdir) == config
    assert experiment.restore_model(workdir)[1] == 6
    assert list((workdir / "tensorboard").iterdir())
    # What was measured along the way chooses the best.
    assert find(workdir, 3).scores == {"miou": 0.5, "mbf": 0.25}
    assert not list(workdir.rglob(".*"))

    # A finished run is left alone.
    before = find(workdir).path.stat()
    train(config, workdir, data_dir)
    assert find(workdir).path.stat() == before

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
    saved = list(checkpoint_dir(tmp_path / "run").glob("*"))
    if "which is sound: none yet" in str(caught.value):
        assert not saved
    else:
        assert str(find(tmp_path / "run").path) in str(caught.value)
        model, _ = experiment.restore_model(tmp_path / "run")
        assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize(
    "fields", [{"freeze": ("bakbone",)}, {"rate_multipliers": ("bakbone=2",)}]
)
def test_a_part_that_is_none_is_named_before_data_are_read(tmp_path, fields):
    with pytest.raises(UserError, match="'bakbone' is no part"):
        train(tiny_config(**fields), tmp_path / "run", tmp_path / "no data")
    assert not (tmp_path / "run").exists()


def test_records_without_a_folder_are_asked_for(tmp_path):
    with pytest.raises(UserError, match="--data_dir"):
        train(tiny_config(), tmp_path / "run")


def test_a_folder_where_another_training_works_is_refused(tmp_path):
    with (
        alone(tmp_path / "run"),
        pytest.raises(UserError, match="another training writes here now"),
    ):
        train(tiny_config(), tmp_path / "run", tmp_path / "no data")


def test_a_disk_full_of_logs_ends_the_run_and_says_what_is_saved(
    data_dir, tmp_path, monkeypatch
):
    def full(history, step, values):
        if step == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(History, "write", full)
    with pytest.raises(UserError, match="at step 3 .No space.*step 2 is"):
        train(tiny_config(), tmp_path / "run", data_dir)
    assert find(tmp_path / "run").step == 2


def test_an_evaluation_that_was_cut_short_happens_again(
    data_dir, tmp_path, monkeypatch
):
    config, workdir = tiny_config(eval_every=3), tmp_path / "run"
    measured = []

    def measure():
        measured.append(find(workdir).step)
        return {"miou": 0.5, "mbf": None}

    meter = FakeMeter(measure)
    with monkeypatch.context() as patch:
        # The history has its line then, and the checkpoint no scores yet.
        patch.setattr(Checkpoints, "record", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(config, workdir, data_dir, meter)
    train(config, workdir, data_dir, meter)
    assert measured == [3, 3]
    curves = read_curves(workdir / "history.jsonl")
    assert curves["miou"] == [(3, 0.5)]
    assert [step for step, _ in curves["total"]] == [1, 2, 3, 4, 5, 6]
    assert find(workdir, 3).scores == {"miou": 0.5, "mbf": None}
    train(config, workdir, data_dir, meter)
    assert measured == [3, 3]


def test_a_failed_evaluation_is_not_taken_for_a_full_disk(data_dir, tmp_path):
    def measure():
        raise OSError("a record cannot be read")

    config = tiny_config(eval_every=3)
    with pytest.raises(OSError, match="^a record cannot be read"):
        train(config, tmp_path / "run", data_dir, FakeMeter(measure))
    assert find(tmp_path / "run").step == 3


def test_threads_that_run_already_cannot_be_deterministic(tmp_path):
    config = tiny_config(deterministic=True)
    with pytest.raises(UserError, match="train.deterministic needs one thread"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_restoring_names_what_is_missing(data_dir, tmp_path):
    with pytest.raises(UserError, match=r"config\.json"):
        experiment.restore_model(tmp_path)

"""Whose a work directory is."""

import dataclasses

import pytest
from tiny import tiny_config

from deepgbass.configs import load_config
from deepgbass.data.synthetic import SYNTHETIC
from deepgbass.errors import UserError
from deepgbass.experiment import check_workdir, claim_workdir
from deepgbass.training.checkpoints import checkpoint_dir


def claim(workdir, **train):
    config = tiny_config(**train)
    check_workdir(config, workdir)
    claim_workdir(config, SYNTHETIC, workdir)
    return config


def save(workdir):
    (checkpoint_dir(workdir) / "step-00000002").mkdir(parents=True)


def test_a_run_that_was_never_saved_may_be_corrected(tmp_path):
    claim(tmp_path, freeze=("bakbone",))
    config = claim(tmp_path, freeze=("backbone",))
    assert load_config(tmp_path) == config


def test_what_decides_the_weights_stays_once_there_is_a_checkpoint(tmp_path):
    claim(tmp_path)
    save(tmp_path)
    with pytest.raises(UserError, match="train.learning_rate"):
        claim(tmp_path, learning_rate=0.5)
    other = dataclasses.replace(SYNTHETIC, name="other")
    with pytest.raises(UserError, match="the data set"):
        claim_workdir(tiny_config(), other, tmp_path)


@pytest.mark.parametrize(
    "fields", [{"keep": 1}, {"checkpoint_every": 7}, {"recompute": True}]
)
def test_what_decides_no_weights_may_change(tmp_path, fields):
    claim(tmp_path)
    save(tmp_path)
    config = claim(tmp_path, **fields)
    assert load_config(tmp_path) == config


def test_somebody_else_s_config_is_left_alone(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="config.json.*model_type"):
        claim(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "config.json"]


def test_a_file_in_the_place_of_checkpoints_is_named(tmp_path):
    claim(tmp_path)
    checkpoint_dir(tmp_path).write_text("")
    with pytest.raises(UserError, match="checkpoints is a file"):
        claim(tmp_path)

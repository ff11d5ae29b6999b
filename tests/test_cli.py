"""Commands: help, mistyped flags and bad input, before TensorFlow loads."""

import subprocess
import sys

import pytest
from conftest import ROOT

from deepgbass.commands import train
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.presets import PRESETS

COMMANDS = {
    "train": ["train.py"],
    "export": ["export_tflite.py"],
    "predict": ["-m", "deepgbass.predict"],
    "evaluate": ["-m", "deepgbass.evaluate"],
    "benchmark": ["-m", "deepgbass.ondevice.benchmark"],
    "demo": ["-m", "deepgbass.demo"],
    "ablation": ["-m", "deepgbass.ablation"],
    "check": ["-m", "deepgbass.data.check"],
    "inspect_loss": ["-m", "deepgbass.inspect_loss"],
    "figures": ["-m", "deepgbass.figures"],
    "model_card": ["-m", "deepgbass.model_card"],
    "results": ["-m", "deepgbass.results"],
    "ledger": ["-m", "deepgbass.ledger"],
    "zoo": ["-m", "deepgbass.zoo"],
    "convert_folder": ["datasets/convert_folder.py"],
    "convert_camvid": ["datasets/convert_camvid.py"],
    "convert_cityscapes": ["datasets/convert_cityscapes.py"],
    "convert_ade20k": ["datasets/convert_ade20k.py"],
    "convert_tfds": ["datasets/convert_tfds.py"],
}


def run(command, *words):
    return subprocess.run(
        [sys.executable, *COMMANDS[command], *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_usage_and_own_flags(command):
    output = run(command, "--help").stdout
    assert "Examples" in output or "python datasets/" in output
    # One flag of each command's own.
    flags = ("--workdir", "--output_dir", "--source", "--size", "--cache_dir")
    flags += ("--readme", "--runs", "--port")
    assert any(f"  {flag}:" in output for flag in flags)


def test_help_of_the_thin_script_is_that_of_the_command():
    output = run("train", "--help").stdout
    assert "--config" in output and "section.field=value" in output


@pytest.mark.parametrize("command", ["predict", "evaluate", "benchmark"])
def test_help_shows_the_flags_that_commands_share(command):
    output = run(command, "--help").stdout
    assert "  --device:" in output and "  --library:" in output


def test_commands_define_no_flags_when_they_are_imported():
    code = (
        "from absl import flags\n"
        "from deepgbass import evaluate, predict\n"
        "from deepgbass.commands import export, train\n"
        "from deepgbass.demo import __main__\n"
        "from deepgbass.ondevice import benchmark\n"
        "for module in flags.FLAGS.flags_by_module_dict():\n"
        "    assert not module.startswith('deepgbass'), module\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("command", COMMANDS)
def test_mistyped_flags_are_refused(command):
    result = run(command, "--wrokdir=x")
    assert result.returncode != 0
    assert "Unknown command line flag 'wrokdir'" in result.stderr


def test_leftover_words_are_refused():
    result = run("train", "--config=demo", "--workdir=x", "steps=3")
    assert result.returncode != 0
    assert "steps=3" in result.stderr + result.stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--config=cityscape"], "cityscape"),
        (["--config=demo", "--set", "train.step=3"], "train.step"),
        (["--config=demo", "--set", "train.steps=-3"], "train.steps"),
        (["--config=camvid"], "--data_dir"),
        (["--config=camvid", "--data_dir=absent"], "absent"),
        (["--config=demo", "--mode=eval"], "config.json"),
    ],
)
def test_a_bad_configuration_is_one_line(tmp_path, words, named):
    result = run("train", f"--workdir={tmp_path / 'w'}", *words)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ") and named in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "w").exists()


def test_required_flags_are_named():
    result = run("train")
    assert result.returncode == 1
    assert "--config" in result.stderr and "--workdir" in result.stderr
    result = run("export")
    assert result.returncode != 0 and "--output_dir" in result.stderr


def test_a_file_in_a_folders_place_is_one_line(tmp_path):
    (tmp_path / "file").write_text("mine")
    result = run(
        "ablation",
        "--table=demo",
        f"--workdir={tmp_path / 'w'}",
        f"--results={tmp_path / 'file' / 'r.json'}",
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "file" in result.stderr and result.stderr.count("\n") == 1


def test_ctrl_c_is_one_line():
    code = (
        "from deepgbass.commands import cli\n"
        "def main(_):\n"
        "    raise KeyboardInterrupt\n"
        "cli.run(main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 130
    assert done.stderr == "stopped by Ctrl-C\n"


def test_a_preset_on_another_data_set_is_said(capsys, tmp_path):
    DatasetInfo("mine", ("road", "car")).save(tmp_path)
    train._look_at_data(PRESETS["camvid"], tmp_path)
    said = capsys.readouterr().out
    assert "recipe for camvid" in said and "mine, of 2 classes" in said
    DatasetInfo("camvid", ("road", "car")).save(tmp_path)
    train._look_at_data(PRESETS["camvid"], tmp_path)
    assert not capsys.readouterr().out

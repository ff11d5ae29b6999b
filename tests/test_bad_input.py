"""Bad data ends a run before training starts, in one line that names it."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from image_files import encode, random_image, random_label
from tiny import SIZE, tiny_config

from deepgbass import experiment
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.record import Example
from deepgbass.data.tfrecord import write_split
from deepgbass.errors import UserError
from deepgbass.training import loop

RNG = np.random.default_rng(0)
IMAGE, LABEL = random_image(RNG, *SIZE), random_label(RNG, *SIZE)
GOOD = Example("good.png", encode(IMAGE), encode(LABEL))


def write_set(data_dir, train, val=(GOOD,)):
    DatasetInfo("set", ("a", "b", "c")).save(data_dir)
    write_split(train, data_dir, "train", 1)
    write_split(val, data_dir, "val", 1)


BAD_EXAMPLES = {
    "ids": (Example("ids.png", encode(IMAGE), encode(LABEL + 7)), "ids 7, 8"),
    "rgb": (Example("rgb.png", encode(IMAGE), encode(IMAGE)), "RGB-coded"),
    "size": (Example("size.png", encode(IMAGE[1:]), encode(LABEL)), "47x64"),
    "torn": (Example("torn.png", encode(IMAGE)[:90], encode(LABEL)), "decoded"),
}


def expect_refusal(data_dir, workdir, monkeypatch, *named):
    def started(*_):
        raise AssertionError("training started")

    monkeypatch.setattr(loop, "_Loop", started)
    with pytest.raises(UserError) as caught:
        loop.train(tiny_config(), workdir, data_dir)
    message = str(caught.value)
    assert "\n" not in message
    for name in named:
        assert name in message


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("fault", BAD_EXAMPLES)
def test_a_bad_example_is_named(tmp_path, monkeypatch, fault, split):
    example, named = BAD_EXAMPLES[fault]
    write_set(tmp_path / "data", **{"train": (GOOD,), split: (GOOD, example)})
    expect_refusal(
        tmp_path / "data",
        tmp_path / "run",
        monkeypatch,
        f"{fault}.png",
        named,
        split,
    )
    # Mended and converted again, the same folder serves.
    assert not (tmp_path / "run" / "config.json").exists()
    experiment.check_workdir(tiny_config(), tmp_path / "run")


def test_a_truncated_record_is_named(tmp_path, monkeypatch):
    write_set(tmp_path / "data", (GOOD, GOOD))
    (shard,) = (tmp_path / "data").glob("train-*")
    shard.write_bytes(shard.read_bytes()[:-40])
    expect_refusal(
        tmp_path / "data", tmp_path / "run", monkeypatch, "train-00000-of-00001"
    )
    assert not (tmp_path / "run").exists()


def test_an_empty_split_is_named(tmp_path, monkeypatch):
    write_set(tmp_path / "data", (GOOD,))
    (shard,) = (tmp_path / "data").glob("train-*")
    shard.write_bytes(b"")
    expect_refusal(
        tmp_path / "data", tmp_path / "run", monkeypatch, "'train' is empty"
    )


def test_absent_data_is_named(tmp_path, monkeypatch):
    expect_refusal(
        tmp_path / "nowhere", tmp_path / "run", monkeypatch, "nowhere"
    )


@pytest.mark.parametrize("source", ["records", "synthetic"])
def test_a_foreign_folder_stays_as_it_is(tmp_path, source):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.csv").write_text("1")
    (tmp_path / "thesis.txt").write_text("mine")
    data = dataclasses.replace(tiny_config().data, source=source)
    config = dataclasses.replace(tiny_config(), data=data)
    with pytest.raises(UserError, match=r"thesis\.txt"):
        loop.train(config, tmp_path, tmp_path / "data")
    names = {path.name for path in tmp_path.rglob("*")}
    assert names == {"data", "mine.csv", "thesis.txt"}


def test_the_command_prints_one_line_and_fails(tmp_path):
    result = subprocess.run(
        [sys.executable, "train.py", "--config=camvid"]
        + [f"--workdir={tmp_path / 'run'}", f"--data_dir={tmp_path / 'no'}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert str(tmp_path / "no") in result.stderr

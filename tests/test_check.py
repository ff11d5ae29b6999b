"""The command `python -m deepgbass.data.check`."""

import json
import subprocess
import sys

import numpy as np
import pytest
from absl import app
from conftest import ROOT, defined_flags
from image_files import encode, random_image
from tiny import write_tiny

from deepgbass.data import check, tfrecord
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.record import Example
from deepgbass.errors import UserError


def run(*words, **values):
    """The exit status of the command, without a new process."""
    with defined_flags(check, **values):
        try:
            check.main(["check", *map(str, words)])
        except SystemExit as error:
            return error.code
    return 0


def write_set(path, labels, names=("a[/b]", "b"), **info):
    rng = np.random.default_rng(0)
    examples = [
        Example(
            f"img{i}", encode(random_image(rng, *label.shape)), encode(label)
        )
        for i, label in enumerate(labels)
    ]
    DatasetInfo("[set]", names, **info).save(path)
    tfrecord.write_split(examples, path, "train", 1)
    return path


GOOD = np.eye(9, dtype=np.uint8)


def test_good_set_passes_and_nothing_is_written(tmp_path, capsys):
    data_dir = write_tiny(tmp_path / "data", train=6, val=4)
    before = sorted(data_dir.iterdir())
    assert run(data_dir, strict=True) == 0
    output = capsys.readouterr().out
    assert "passed: 0 errors, 0 warnings" in output
    assert "48x64" in output and "pole" in output
    assert sorted(data_dir.iterdir()) == before


def test_errors_fail_and_are_named_with_what_to_do(tmp_path, capsys):
    data_dir = write_set(tmp_path, [GOOD, GOOD + np.uint8(7), GOOD])
    assert run(data_dir) == 1
    output = capsys.readouterr().out
    assert (
        "error: train: labels hold ids outside of the classes (1): " in output
    )
    assert "img1 (train-00000-of-00001.tfrecord, byte" in output
    assert "ids 7, 8 are neither" in output and "To mend it: " in output
    assert "not passed: 1 error, 0 warnings" in output
    assert str(tmp_path) not in output


def test_warnings_fail_only_if_strict(tmp_path, capsys):
    data_dir = write_set(tmp_path, [GOOD], ("a", "b", "[bold]"))
    assert run(data_dir) == 0
    assert "passed: 0 errors, 1 warning\n" in capsys.readouterr().out
    assert run(data_dir, strict=True) == 1
    output = capsys.readouterr().out
    assert "(1): [bold]. To mend it" in output and "not passed" in output


def test_long_cells_leave_the_split_and_the_numbers_whole(tmp_path, capsys):
    labels = [np.pad(np.eye(200, dtype=np.uint8), (0, i)) for i in range(3)]
    names = ["wall", "traffic sign, frame"]
    data_dir = write_set(tmp_path, labels, names, ignore_label=0)
    assert run(data_dir) == 0
    lines = capsys.readouterr().out.splitlines()
    heading = next(line for line in lines if "images" in line)
    assert heading.startswith("split ") and heading.endswith(" hidden")
    row = next(line for line in lines if line.startswith("train "))
    assert row.endswith(" 100 %")


def test_many_problems_fit_on_a_screen(tmp_path, capsys):
    labels = [GOOD + np.uint8(50)] * 300
    data_dir = write_set(tmp_path, labels, [f"class{i}" for i in range(50)])
    assert run(data_dir) == 1
    lines = capsys.readouterr().out.splitlines()
    assert sum(-(-len(line) // 80) for line in lines) <= 24
    assert any("(300): " in line and "and 298 more" in line for line in lines)


def test_page_and_json_are_written(tmp_path):
    data_dir = write_set(tmp_path / "data", [GOOD, GOOD + np.uint8(7)])
    output_dir = tmp_path / "new" / "out"
    assert run(data_dir, output_dir=str(output_dir), samples=1) == 1
    names = sorted(path.name for path in output_dir.iterdir())
    assert names == ["check.html", "check.json"]
    assert json.loads((output_dir / "check.json").read_text())["errors"] == 1
    page = (output_dir / "check.html").read_text()
    assert "a[/b]" in page and "data:image" in page


def test_bad_directories_are_refused_before_reading(tmp_path, monkeypatch):
    data_dir = write_set(tmp_path / "data", [GOOD])
    with pytest.raises(UserError, match="nowhere: no such directory"):
        run(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="^--output_dir=.* cannot be written"):
        run(data_dir, output_dir=str(tmp_path / "file" / "out"))
    with pytest.raises(app.UsageError, match="one directory"):
        run()
    (data_dir / "dataset.json").unlink()
    with pytest.raises(UserError, match="there are TFRecords of train; write"):
        run(data_dir)


def test_command_line_gives_the_exit_status(tmp_path):
    data_dir = write_set(tmp_path, [GOOD + np.uint8(7)])
    command = [sys.executable, "-m", "deepgbass.data.check", str(data_dir)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 1 and result.stderr == ""
    assert "not passed" in result.stdout

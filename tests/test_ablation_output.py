"""The files of a table, of made-up trials, and the command's refusals."""

import json

import pytest
from conftest import defined_flags
from fake_trials import write_trial

from deepgbass.ablation import __main__ as command
from deepgbass.ablation import output
from deepgbass.ablation.schedule import plan_trials, trial_folder
from deepgbass.ablation.tables import TABLES, row_configs
from deepgbass.errors import UserError


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Folders of a partial ladder and of its copied results."""
    workdir, results = tmp_path / "work", tmp_path / "results"
    for key, seed in (("baseline", 0), ("full", 0), ("full", 2)):
        write_trial(workdir, key, seed, {"float": (0.5, 0.4 + seed / 10)})
        folder = trial_folder(workdir, key, seed)
        (folder / "history.jsonl").write_text(f"{key} {seed}")
        (folder / "checkpoints").mkdir()
        folder.with_suffix(".log").write_text("printed")
    monkeypatch.setattr(output, "_report", lambda *_: workdir / "report.html")
    configs = row_configs("camvid")
    trials = plan_trials(TABLES["camvid"], configs, workdir)
    output.write_table(
        "camvid", configs, trials, workdir, "data", results, "the command"
    )
    return workdir, results


def test_a_partial_table_is_written_and_says_what_is_missing(written, capsys):
    workdir, results = written
    table = json.loads((workdir / "table.json").read_text())
    assert [row["key"] for row in table["rows"]] == ["baseline", "full"]
    assert [row["missing_seeds"] for row in table["rows"]] == [[1, 2], [1]]
    assert table["command"] == "the command"
    assert table["versions"]["python"] and table["config"]["name"] == "camvid"
    text = (workdir / "table.md").read_text()
    assert "Rows not done yet: +DGD, +SBL" in text
    for name in ("table.json", "table.md"):
        assert (results / name).read_bytes() == (workdir / name).read_bytes()


def test_the_copy_holds_the_small_files_alone(written):
    _, results = written
    copied = trial_folder(results, "full", 2)
    assert (copied / "history.jsonl").read_text() == "full 2"
    assert (copied / "log.txt").read_text() == "printed"
    assert {p.name for p in copied.iterdir()} == {
        "history.jsonl",
        "log.txt",
        "trial.json",
    }


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"seeds": ["0", "x"]}, "--seeds=0,x"),
        ({"rows": ["dgb"]}, "dgb"),
        ({"set": ["train.seed=1"]}, "--seeds"),
        ({"set": ["train.stps=1"]}, "train.stps"),
        ({}, "--data_dir"),
        ({"data_dir": "nowhere"}, "nowhere"),
        ({"init_weights": "no.tflite"}, "no.tflite"),
        ({"results": __file__}, "--results"),
    ],
)
def test_bad_flags_are_refused_before_anything_is_made(tmp_path, values, named):
    workdir = tmp_path / "work"
    with (
        defined_flags(command, table="camvid", workdir=str(workdir), **values),
        pytest.raises(UserError, match=named) as caught,
    ):
        command.main([])
    assert "\n" not in str(caught.value)
    assert not workdir.exists()


def test_a_table_of_another_schedule_is_refused(tmp_path):
    write_trial(tmp_path, "dgd", 0, {"float": (0.5, 0.4)})
    (tmp_path / "dataset.json").touch()
    with (
        defined_flags(
            command,
            table="camvid",
            workdir=str(tmp_path),
            data_dir=str(tmp_path),
            set=["train.steps=200"],
        ),
        pytest.raises(UserError, match="train.steps=1500"),
    ):
        command.main([])

"""The files of a table, of made-up trials, and the command's refusals."""

import json

import pytest
from conftest import defined_flags
from fake_trials import write_trial

from deepgbass.ablation import __main__ as command
from deepgbass.ablation import output
from deepgbass.ablation.plan import trial_folder
from deepgbass.ablation.processes import Stopped
from deepgbass.ablation.tables import row_configs
from deepgbass.data.camvid import CAMVID
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
    output.finish_table(
        "camvid", configs, workdir, "data", results, "the command"
    )
    return workdir, results


def test_rows_without_their_networks_are_left_out_of_the_report(
    tmp_path, monkeypatch, capsys
):
    write_trial(tmp_path, "dgd", 0, {"float": (0.5, 0.4)})
    monkeypatch.setattr("deepgbass.experiment.open_split", lambda *_: None)
    output.finish_table(
        "camvid", row_configs("camvid"), tmp_path, "data", None, "the command"
    )
    printed = capsys.readouterr().out
    assert "+DGD, seed 0 cannot be shown: " in printed
    assert "Report:" not in printed
    assert (tmp_path / "table.json").exists()


def test_the_report_shows_the_first_seed_whose_network_is_there(
    tmp_path, monkeypatch, capsys
):
    for seed in (0, 1, 2):
        write_trial(tmp_path, "dgd", seed, {"float": (0.5, 0.4)})

    def load(folder):
        if folder == trial_folder(tmp_path, "dgd", 0):
            raise UserError("no checkpoint")

    shown = []
    monkeypatch.setattr("deepgbass.experiment.open_split", lambda *_: None)
    monkeypatch.setattr("deepgbass.ablation.networks.load_predictor", load)
    monkeypatch.setattr(
        "deepgbass.reports.run_report.report_runs",
        lambda path, title, runs, dataset: shown.extend(runs),
    )
    output.finish_table(
        "camvid", row_configs("camvid"), tmp_path, "data", None, "the command"
    )
    assert [run.name for run in shown] == ["+DGD, seed 1"]
    assert "seed 0 cannot be shown: no checkpoint" in capsys.readouterr().out


def test_a_report_of_networks_that_are_gone_stays_and_is_told(
    tmp_path, monkeypatch, capsys
):
    write_trial(tmp_path, "dgd", 0, {"float": (0.5, 0.4)})
    (tmp_path / "report.html").write_text("earlier")
    monkeypatch.setattr("deepgbass.experiment.open_split", lambda *_: None)
    output.finish_table(
        "camvid", row_configs("camvid"), tmp_path, "data", None, "the command"
    )
    assert "is of an earlier table and stays" in capsys.readouterr().out
    assert (tmp_path / "report.html").read_text() == "earlier"


def test_the_times_of_an_earlier_table_are_kept_until_new_ones(tmp_path):
    write_trial(tmp_path, "dgd", 0, {"float": (0.5, 0.4)})
    times = {"milliseconds": {"dgd": {"int8": {"p50": 12.5}}}}
    (tmp_path / "latency.json").write_text(json.dumps(times))
    text = output.save_table(
        "camvid", row_configs("camvid"), tmp_path, None, "the command"
    )
    assert (tmp_path / "table.md").read_text() == text
    (row,) = json.loads((tmp_path / "table.json").read_text())["rows"][:1]
    assert row["latency_ms"] == {"int8": 12.5}


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
        ({"init_weights": "no.tflite"}, "--init_weights: no.tflite"),
        ({"init_weights": __file__}, "--init_weights: .*test_ablation"),
        ({"table": "camvid_study", "qat": True}, "no row of the whole"),
    ],
)
def test_bad_flags_are_refused_before_anything_is_made(tmp_path, values, named):
    workdir = tmp_path / "work"
    given = {"table": "camvid", "workdir": str(workdir), **values}
    with (
        defined_flags(command, **given),
        pytest.raises(UserError, match=named) as caught,
    ):
        command.main([])
    assert "\n" not in str(caught.value)
    assert not workdir.exists()


@pytest.fixture
def records(tmp_path):
    """A folder that passes for CamVid's records."""
    CAMVID.save(tmp_path / "records")
    return tmp_path / "records"


def test_a_table_of_another_schedule_is_refused(tmp_path, records):
    write_trial(tmp_path, "dgd", 0, {"float": (0.5, 0.4)})
    with (
        defined_flags(
            command,
            table="camvid",
            workdir=str(tmp_path),
            data_dir=str(records),
            set=["train.steps=200"],
        ),
        pytest.raises(UserError, match=r"train.steps \(1500 there"),
    ):
        command.main([])


def test_a_half_trained_folder_of_another_schedule_is_refused(
    tmp_path, records
):
    trial = trial_folder(tmp_path / "work", "sbl", 0)
    (trial / "checkpoints" / "step-00000100").mkdir(parents=True)
    config = row_configs("camvid", ["train.steps=200"])["sbl"]
    (trial / "config.json").write_text(config.to_json())
    with (
        defined_flags(
            command,
            table="camvid",
            workdir=str(tmp_path / "work"),
            data_dir=str(records),
        ),
        pytest.raises(UserError, match=r"sbl.seed0 .*train.steps \(200 there"),
    ):
        command.main([])


@pytest.mark.parametrize("flag", ["workdir", "results"])
def test_a_file_in_a_folder_s_place_is_named(tmp_path, records, flag):
    place = tmp_path / "file"
    place.touch()
    given = {"workdir": str(tmp_path / "work"), flag: str(place)}
    with (
        defined_flags(command, table="camvid", data_dir=str(records), **given),
        pytest.raises(UserError, match=f"--{flag}="),
    ):
        command.main([])


def test_the_command_is_that_of_the_whole_table(tmp_path):
    with defined_flags(
        command,
        table="camvid",
        workdir="runs/a b",
        rows=["full"],
        seeds=["2"],
        set=["train.steps=10"],
        qat=True,
        parallel=2,
    ) as values:
        words = command._command(values or command.flags.FLAGS)
    assert words == (
        "python -m deepgbass.ablation --table=camvid '--workdir=runs/a b' "
        "--set train.steps=10 --qat"
    )


def test_a_stopped_command_has_written_the_table(
    tmp_path, records, monkeypatch
):
    workdir = tmp_path / "work"

    def one_trial_and_stop(trials, data_dir, parallel, after):
        write_trial(workdir, "baseline", 0, {"float": (0.5, 0.4)})
        after()
        raise Stopped(15)

    monkeypatch.setattr(command, "run_trials", one_trial_and_stop)
    with (
        defined_flags(
            command,
            table="camvid",
            workdir=str(workdir),
            data_dir=str(records),
        ),
        pytest.raises(SystemExit) as caught,
    ):
        command.main([])
    assert caught.value.code == 143
    assert "| MNEdge DeepLab" in (workdir / "table.md").read_text()

"""Measuring a run at its end: what is written, and what is left alone."""

import json

import pytest
from test_monitor import read_events
from tiny import tiny_config, write_tiny

from deepgbass import files
from deepgbass.errors import UserError
from deepgbass.evaluation.run_evaluation import CheckpointMeter, evaluate_run
from deepgbass.reports.history import read_curves
from deepgbass.training.loop import train

pytestmark = pytest.mark.slow
CONFIG = tiny_config(steps=3, eval_every=2, checkpoint_every=2)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def workdir(data_dir, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run") / "run"
    train(CONFIG, workdir, data_dir, CheckpointMeter(workdir, data_dir))
    return workdir


def test_the_last_evaluation_is_logged_once(workdir, data_dir):
    for _ in range(2):
        run = evaluate_run(CONFIG, workdir, data_dir)
    metrics = run.metrics["float"]
    assert metrics == json.loads((workdir / "metrics.json").read_text())
    curves = read_curves(workdir / "history.jsonl")
    assert [step for step, _ in curves["miou"]] == [2, 3]
    assert curves["mbf"][-1] == (3, metrics["mbf"])
    assert [step for step, _ in curves["total"]] == [1, 2, 3]
    events = read_events(workdir)
    for tag in ("eval/miou", "eval/mbf"):
        assert [step for step, _ in events[tag]] == [2, 3]
    overlays = [tag for tag in events if tag.startswith("eval/overlay/")]
    assert overlays
    for tag in overlays:
        assert [step for step, _ in events[tag]] == [2, 3]


def test_an_earlier_checkpoint_is_no_part_of_the_curve(workdir, data_dir):
    before = (workdir / "history.jsonl").read_bytes()
    run = evaluate_run(CONFIG, workdir, data_dir, which="2")
    assert run.metrics["float"]["step"] == 2
    assert (workdir / "history.jsonl").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_found_before_measuring(
    workdir, data_dir, monkeypatch
):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(
        "deepgbass.evaluation.run_evaluation.evaluate",
        lambda *_: pytest.fail("measured"),
    )
    with pytest.raises(UserError, match=f"--workdir={workdir} cannot be wri"):
        evaluate_run(CONFIG, workdir, data_dir)

"""Which trials run, in which order, and what stops them."""

import os
import signal
import sys
import threading
import time

import pytest
from fake_trials import write_trial

from deepgbass.ablation.plan import plan_trials
from deepgbass.ablation.processes import Stopped, command, run_trials
from deepgbass.ablation.tables import TABLES, row_configs
from deepgbass.configs import read_config
from deepgbass.errors import UserError


def plan(workdir, table="camvid", **options):
    return plan_trials(TABLES[table], row_configs(table), workdir, **options)


def names(trials):
    return [(trial.key, trial.seed) for trial in trials]


def python(code):
    """A command for trials: Python code with `folder` and `key`."""

    def words(trial, data_dir):
        given = f"folder, key = {str(trial.folder)!r}, {trial.key!r}\n"
        return [sys.executable, "-c", given + code]

    return words


def test_all_rows_come_first_with_their_first_seed(tmp_path):
    keys = ["baseline", "dgd", "sbl", "dgd_sbl", "full"]
    keys += ["dlv3d_64", "dgd_64", "dgd_sbl_64", "full_64"]
    assert names(plan(tmp_path)) == [(k, s) for s in (0, 1, 2) for k in keys]


def test_rows_and_seeds_can_be_chosen(tmp_path):
    trials = plan(tmp_path, keys=["full", "baseline"], seeds=(4, 5))
    assert names(trials) == [
        ("baseline", 4),
        ("full", 4),
        ("baseline", 5),
        ("full", 5),
    ]
    for trial in trials:
        assert trial.config.train.seed == trial.seed
        assert trial.folder == tmp_path / trial.key / f"seed{trial.seed}"
    with pytest.raises(UserError, match="dgb.*choose from baseline, dgd"):
        plan(tmp_path, keys=["dgb"])


def test_the_whole_method_alone_is_fine_tuned_and_the_first_seed_timed(
    tmp_path,
):
    forms = {(t.key, t.seed): t.quantizations for t in plan(tmp_path, qat=True)}
    assert forms["full", 0] == ("int8", "float", "qat_int8")
    assert forms["full", 1] == ("int8", "qat_int8")
    assert forms["full_64", 1] == ("int8", "qat_int8")
    assert forms["baseline", 0] == ("int8", "float")
    assert forms["baseline", 1] == ("int8",)
    assert "qat_int8" not in {
        f for t in plan(tmp_path) for f in t.quantizations
    }


def test_the_command_names_all_that_a_trial_needs(tmp_path):
    trial = plan(tmp_path)[0]
    words = dict(
        word.removeprefix("--").split("=", 1)
        for word in command(trial, "data")[3:]
    )
    assert read_config(words["config"]) == trial.config
    assert words["workdir"] == str(trial.folder)
    assert words["quantizations"] == "int8,float"
    assert words["data_dir"] == "data"


def test_what_is_done_is_not_repeated_and_a_failure_stops_nothing(
    tmp_path, capsys
):
    write_trial(
        tmp_path,
        "baseline",
        0,
        dict.fromkeys(("float", "int8", "float_tflite"), (0.5, 0.4)),
    )
    trials = plan(tmp_path, keys=["baseline", "dgd", "full"], seeds=(0,))
    done = []
    failed = run_trials(
        trials,
        "data",
        command=python("print('hello from', key); exit(key == 'dgd')"),
        after=lambda: done.append(True),
    )
    assert names(failed) == [("dgd", 0)]
    assert done == [True]  # After full; dgd failed, baseline was done.
    output = capsys.readouterr().out
    assert "baseline, seed 0: done already" in output
    assert "hello from dgd" in output and "hello from full" in output
    assert "hello from baseline" not in output
    log = (tmp_path / "full" / "seed0.log").read_text()
    assert log == "hello from full\n"


def test_two_run_side_by_side(tmp_path):
    # Each waits for the other's file.
    code = """
import os, pathlib, time
assert int(os.environ["TF_NUM_INTRAOP_THREADS"]) >= 1
root = pathlib.Path(folder).parents[1]
(root / f"{key} began").touch()
other = {"dgd": "full", "full": "dgd"}[key]
end = time.monotonic() + 20
while not (root / f"{other} began").exists():
    assert time.monotonic() < end
    time.sleep(0.02)
"""
    trials = plan(tmp_path, keys=["dgd", "full"], seeds=(0,))
    assert run_trials(trials, "data", 2, python(code)) == []


@pytest.mark.parametrize(
    "signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
)
def test_a_signal_reaches_the_trial_and_starts_no_further_one(tmp_path, signum):
    code = """
import pathlib, signal, sys, time
def stop(signum, frame):
    pathlib.Path(folder + " saved").touch()
    sys.exit(128 + signum)
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(folder + " ready").touch()
time.sleep(30)
"""
    trials = plan(tmp_path, keys=["dgd", "full"], seeds=(0,))

    def interrupt():
        while not (tmp_path / "dgd" / "seed0 ready").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signum)

    before = signal.getsignal(signum)
    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(Stopped) as caught:
        run_trials(trials, "data", command=python(code))
    assert caught.value.status == 128 + signum
    assert (tmp_path / "dgd" / "seed0 saved").exists()
    assert not (tmp_path / "full").exists()
    assert signal.getsignal(signum) is before

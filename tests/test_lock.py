"""One process at a time, and what is left by one that was killed."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

from deepgbass.errors import UserError
from deepgbass.lock import locked_folder


def test_one_at_a_time_and_nothing_is_left(tmp_path):
    for _ in range(2):
        with locked_folder(tmp_path / "work", "test") as folder:
            assert folder.is_dir()
            with (
                pytest.raises(UserError, match=f"{tmp_path}: another test wri"),
                locked_folder(folder, "test"),
            ):
                pass
        assert not list(tmp_path.iterdir())


def test_results_in_the_folder_stay(tmp_path):
    with locked_folder(tmp_path / "work", "test") as folder:
        (folder / "result").touch()
    assert [path.name for path in folder.iterdir()] == ["result"]


def test_a_folder_that_its_last_holder_removes_meanwhile_is_made_again(
    tmp_path, monkeypatch
):
    make, calls = os.mkdir, []

    def late(path, *mode):
        calls.append(path)
        if len(calls) == 1:  # there still, and gone right afterwards
            raise FileExistsError(path)
        make(path, *mode)

    monkeypatch.setattr(os, "mkdir", late)
    with locked_folder(tmp_path / "work", "test") as folder:
        assert folder.is_dir() and len(calls) == 2


def test_a_killed_process_holds_no_lock(tmp_path):
    code = (
        "import sys, time; from deepgbass.lock import locked_folder\n"
        "with locked_folder(sys.argv[1], 'test'): print('held', flush=True); "
        "time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "work")],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(UserError), locked_folder(tmp_path / "work", "test"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "work" / "lock").exists()
    with locked_folder(tmp_path / "work", "test"):
        pass
    holder.stdout.close()

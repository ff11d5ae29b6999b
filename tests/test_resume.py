"""`train.py` as a process: asked to stop, started again, killed."""

import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from tiny import tiny_config, write_tiny

from deepgbass.training.checkpoint_files import step_of
from deepgbass.training.checkpoints import checkpoint_dir

DEADLINE = 240  # seconds


def start(tmp_path):
    return subprocess.Popen(
        [sys.executable, "-u", "train.py"]
        + [f"--config={tmp_path / 'tiny.json'}"]
        + [f"--workdir={tmp_path / 'run'}", f"--data_dir={tmp_path / 'data'}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def wait_for_checkpoint_after(tmp_path, process, step):
    """Waits for a checkpoint that a restart would find; returns its step."""
    folder = checkpoint_dir(tmp_path / "run")
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        steps = [step_of(path) or 0 for path in folder.glob("*")]
        if max(steps, default=0) > step:
            return max(steps)
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1])
        time.sleep(0.1)
    raise AssertionError(f"no checkpoint after step {step}")


@pytest.mark.slow
def test_sigterm_saves_and_the_command_goes_on_there(tmp_path):
    """Kills of all kinds: test_sigkill.py."""
    write_tiny(tmp_path / "data")
    config = tiny_config(steps=100_000, checkpoint_every=5)
    (tmp_path / "tiny.json").write_text(config.to_json())

    process = start(tmp_path)
    wait_for_checkpoint_after(tmp_path, process, 0)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "the same command continues there" in output
    saved_at = wait_for_checkpoint_after(tmp_path, process, 0)

    process = start(tmp_path)
    line = next(line for line in process.stdout if "Resuming" in line)
    process.kill()
    process.communicate()
    assert f"Resuming at step {saved_at} of" in line

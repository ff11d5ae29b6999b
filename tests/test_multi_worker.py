"""Two workers train like one; one killed ends the other, and all go on."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from free_ports import free_addresses
from tiny import write_tiny

from deepgbass.reports.history import read_curves

STEPS, KILLED_AT = 160, 25
# docs/distributed.md promises this, from the loss to the end of the others.
LIMIT = 30


def start(data_dir, workdirs):
    """A process for each work directory; several are a cluster."""
    addresses = free_addresses(len(workdirs))
    workers = []
    for index, workdir in enumerate(workdirs):
        env = os.environ | {
            "PYTHONPATH": str(ROOT),
            # Optimised machine code would take longer to make than it runs.
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
            "TF_CONFIG": json.dumps(
                {
                    "cluster": {"worker": addresses},
                    "task": {"type": "worker", "index": index},
                }
            ),
        }
        if len(workdirs) == 1:
            del env["TF_CONFIG"]
        workers.append(
            subprocess.Popen(
                [sys.executable, "tests/train_worker.py"]
                + [str(data_dir), str(workdir), str(STEPS)],
                cwd=ROOT,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return workers


def finish(workers):
    for worker in workers:
        output, errors = worker.communicate(timeout=300)
        assert worker.returncode == 0, output[-1000:] + errors[-2000:]


@pytest.mark.slow
def test_a_killed_worker_ends_the_chief_and_both_go_on_as_one(tmp_path):
    data_dir = write_tiny(tmp_path / "data", train=8)
    (alone,) = start(data_dir, [tmp_path / "alone"])
    finish([alone])
    expected = dict(read_curves(tmp_path / "alone/history.jsonl")["total"])

    # Without the chief's disk, the other still goes on with the chief.
    workdirs = [tmp_path / "chief", tmp_path / "other"]
    chief, other = workers = start(data_dir, workdirs)
    history = workdirs[0] / "history.jsonl"
    while not (history.exists() and _steps(history) > KILLED_AT):
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.05)
    other.send_signal(signal.SIGKILL)
    began = time.monotonic()
    _, errors = chief.communicate(timeout=300)
    assert time.monotonic() - began < LIMIT
    assert chief.returncode == 1
    message = errors[errors.index("error: ") :]
    assert "worker 1 (localhost:" in message and "same command" in message
    reached = _steps(history)
    assert reached < STEPS, "killed too late"

    finish(start(data_dir, workdirs))
    found = dict(read_curves(history)["total"])
    assert list(found) == list(expected) == list(range(1, STEPS + 1))
    for step in (1, KILLED_AT, reached, STEPS):
        assert found[step] == pytest.approx(expected[step], rel=1e-3)
    assert not (workdirs[1] / "history.jsonl").exists()


def _steps(history):
    return len(history.read_text().splitlines())

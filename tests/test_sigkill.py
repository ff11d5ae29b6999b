"""A training killed again and again ends as if nothing had happened."""

import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf
from conftest import ROOT
from tiny import write_tiny

KILLS = 20


def checkpoints(workdir):
    """Name -> content of the files of all checkpoints, but for versions."""
    found = {}
    for path in (workdir / "checkpoints").rglob("*"):
        name = str(path.relative_to(workdir))
        if path.name == "meta.json":
            found[name] = json.loads(path.read_text())
            # Somebody may commit while this runs.
            del found[name]["versions"]
        else:
            found[name] = path.is_file() and path.read_bytes()
    return found


def history(workdir):
    lines = (workdir / "history.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in lines]
    # Speed alone may differ.
    return [line | {"images_per_second": None} for line in lines]


def events(workdir):
    """What TensorBoard shows, in the order of the steps."""
    found = []
    for path in (workdir / "tensorboard").iterdir():
        try:
            for record in tf.data.TFRecordDataset(str(path)):
                event = tf.compat.v1.Event.FromString(record.numpy())
                for value in event.summary.value:
                    if not value.tag.endswith("images_per_second"):
                        content = value.tensor.SerializeToString()
                        found.append((event.step, value.tag, content))
        except tf.errors.DataLossError:
            continue  # Torn by a kill, and read to there.
    return sorted(found)


@pytest.mark.slow
def test_killed_twenty_times_ends_bit_equal(tmp_path):
    write_tiny(tmp_path / "data")
    # Optimised machine code would take longer to make than it runs.
    flags = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
    done = subprocess.run(
        [sys.executable, "tests/kill_training.py", str(tmp_path), str(KILLS)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | flags,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    killed = [words[2:] for words in lines if words[:1] == ["killed"]]
    assert len(killed) == KILLS
    assert "warning" not in done.stdout
    # Kills landed within saving, and at many places of the run.
    torn = [names for names in killed if any(n.startswith(".") for n in names)]
    assert len(torn) >= 3
    assert len({names[-1] for names in killed if names}) > KILLS / 3

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    steps = {name.split("/")[1] for name in checkpoints(whole)}
    assert {"step-00000118", "step-00000120"} < steps and len(steps) == 4
    assert checkpoints(killed) == checkpoints(whole)
    assert history(killed) == history(whole)
    assert [line["step"] for line in history(whole) if "miou" in line] == [
        *range(6, 120, 6)
    ]
    assert events(killed) == events(whole)
    assert len(events(whole)) > 500
    names = [path.name for path in killed.rglob(".*")]
    assert not names, "killed runs left something"

"""A conversion killed by SIGKILL leaves the old set, the new one or none."""

import dataclasses
import os
import subprocess
import sys

import pytest
from conftest import ROOT
from image_files import convert_folder, write_folder

NAMES = ["train/a", "train/b", "train/c", "val/a"]


def kill(root, *percents):
    """Runs `kill_conversion.py`; the words it prints, a list a moment."""
    write_folder(root / "source", NAMES)
    earlier = write_folder(root / "other", NAMES, seed=1)
    convert_folder(root / "source", root / "wanted", num_shards=2)
    info = convert_folder(earlier, root / "earlier", num_shards=2)
    # Of the first version: its shards have the names of the new ones, and
    # nothing says that they are others.
    info = dataclasses.replace(info, statistics={}, shards={})
    info.save(root / "earlier")
    done = subprocess.run(
        [sys.executable, "tests/kill_conversion.py", str(root), *percents],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    return [x for x in lines if x[0] in ("empty", "earlier") and len(x) == 4]


def what_is_left(lines):
    """What a reader meets by scene, in the order of the moments."""
    found = {scene: [] for scene in ("empty", "earlier")}
    for scene, _, _, left in lines:
        found[scene].append(left)
    return found


def test_killed_at_some_moments(tmp_path):
    # While it reads, and twice while the new shards replace the old.
    found = what_is_left(kill(tmp_path / "set", "40", "87", "90"))
    assert found["empty"] == ["refused"] * 3
    assert found["earlier"] == ["earlier", "refused", "refused"]


@pytest.mark.slow
def test_killed_before_every_call(tmp_path):
    found = what_is_left(kill(tmp_path / "set"))
    order = ["earlier", "refused", "wanted"]
    assert len(found["empty"]) > 50
    assert {*found["empty"]} == {"refused", "wanted"}
    assert {*found["earlier"]} == {*order}
    # There is one moment at which the earlier set goes and one at which the
    # new one comes, with little between.
    for left in found.values():
        assert left == sorted(left, key=order.index)
    assert found["earlier"].count("refused") < len(found["earlier"]) / 5

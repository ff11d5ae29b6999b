"""Results name the versions that made them."""

import subprocess

import numpy as np

import deepgbass
from deepgbass import versions


def test_versions_name_what_decides_the_numbers():
    found = versions.versions()
    assert found["numpy"] == np.__version__
    assert found["deepgbass"] == deepgbass.__version__
    assert "python" in found


def test_the_commit_is_that_of_the_checkout_if_it_is_one(tmp_path, monkeypatch):
    def git(*words):
        who = ["-c", "user.name=n", "-c", "user.email=e"]
        return subprocess.check_output(
            ["git", "-C", str(tmp_path), *who, *words], text=True
        ).strip()

    find = versions.commit.__wrapped__  # not what it found before
    monkeypatch.setattr(versions, "_ROOT", tmp_path)
    assert find() is None
    git("init", "-q")
    assert find() is None
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-qm", "first")
    git("tag", "-am", "release", "v1")
    assert find() == git("rev-parse", "HEAD")
    (tmp_path / "file").write_text("two")
    assert find() == git("rev-parse", "HEAD") + "-dirty"
    monkeypatch.setattr(versions, "commit", find)
    found = versions.provenance()
    assert found == versions.versions() | {"commit": find()}

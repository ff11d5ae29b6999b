"""Results name the versions that made them."""

import subprocess

import numpy as np
import pytest
from conftest import ROOT

import deepgbass
from deepgbass import versions


def test_versions_name_what_decides_the_numbers():
    found = versions.versions()
    assert found["numpy"] == np.__version__
    assert found["deepgbass"] == deepgbass.__version__
    assert "python" in found


def test_the_commit_is_that_of_the_checkout_if_it_is_one(tmp_path, monkeypatch):
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    found = subprocess.check_output(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], text=True
    )
    assert versions.commit() == found.strip()
    # At a whole run's checkpoints it is asked for once.
    find = versions.commit.__wrapped__
    monkeypatch.setattr(versions, "_ROOT", tmp_path)
    assert versions.commit() == found.strip() and find() is None
    # One without any commit yet.
    subprocess.check_call(["git", "init", "-q", str(tmp_path)])
    assert find() is None

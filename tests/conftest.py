"""Fixtures shared by all tests."""

import os
import pathlib

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared():
    """The folder of reference data that lies beside the checkout, if any."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this checkout: reference data absent")
    return SHARED

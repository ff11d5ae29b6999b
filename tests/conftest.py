"""Fixtures shared by all tests."""

import contextlib
import os
import pathlib

import pytest
from absl import flags
from absl.testing import flagsaver

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared():
    """The folder of reference data that lies beside the checkout, if any."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this checkout: reference data absent")
    return SHARED


@contextlib.contextmanager
def defined_flags(command, **values):
    """The flags of a command's module, with values, for a call of its main."""
    before = set(flags.FLAGS)
    try:
        command.define_flags()
        flags.FLAGS.mark_as_parsed()
        with flagsaver.flagsaver(**values):
            yield
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)

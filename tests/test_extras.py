"""What a plain install leaves out, and what is said then."""

import re

import pytest
from conftest import ROOT

from deepgbass.extras import TRAINING, advice

SETUP = (ROOT / "setup.py").read_text()


def requirements(start):
    """Names in the first list of setup.py after `start`."""
    listed = SETUP.split(start)[1].split("]")[0]
    return {re.split("[>=<]", name)[0] for name in re.findall('"(.+)"', listed)}


def test_the_extra_train_is_what_the_advice_is_for():
    assert requirements("TRAIN = [") == TRAINING


def test_a_plain_install_holds_none_of_it():
    plain = requirements("install_requires=[")
    assert {"numpy", "pillow", "ai-edge-litert"} <= plain
    assert not plain & TRAINING


@pytest.mark.parametrize("name", ["tensorflow", "scipy.ndimage"])
def test_a_package_of_the_extra_is_named(name):
    text = advice(ModuleNotFoundError("x", name=name))
    assert name.partition(".")[0] in text and "deepgbass[train]" in text


@pytest.mark.parametrize("name", ["deepgbass.typo", "cv2", None])
def test_other_packages_are_not_its_business(name):
    assert advice(ModuleNotFoundError("x", name=name)) is None

"""Results name the versions that made them."""

import numpy as np

import deepgbass
from deepgbass import versions


def test_versions_name_what_decides_the_numbers():
    found = versions.versions()
    assert found["numpy"] == np.__version__
    assert found["deepgbass"] == deepgbass.__version__
    assert "python" in found

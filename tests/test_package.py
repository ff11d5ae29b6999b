"""What `import deepgbass` and `pip install .` give."""

import shutil
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT

import deepgbass


def test_import_brings_no_tensorflow():
    code = (
        "import sys, deepgbass; "
        "print([m for m in ('tensorflow', 'tf_keras', 'scipy', 'matplotlib')"
        " if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout
    assert output.strip() == "[]"


@pytest.mark.parametrize("name", deepgbass.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(deepgbass, name).__doc__ or name == "PRESETS"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        deepgbass.no_such_name  # noqa: B018


@pytest.mark.slow
def test_wheel_holds_the_package_alone(tmp_path):
    source = tmp_path / "source"
    # Building leaves folders behind, so not in the checkout itself.
    ignore = shutil.ignore_patterns(".*", "runs", "build", "bazel-*")
    shutil.copytree(ROOT, source, ignore=ignore)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q"]
        + ["-w", str(tmp_path), str(source)],
        check=True,
    )
    (wheel,) = tmp_path.glob("deepgbass-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "deepgbass/decoders/guided.py" in names
    tops = {name.split("/")[0] for name in names}
    assert {top.split("-")[0] for top in tops} == {"deepgbass"}

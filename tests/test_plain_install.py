"""What a device gets by `pip install deepgbass[coral]` runs, alone."""

import os
import re
import subprocess

import pytest
from edgetpu_stand_in import build_library, write_model, write_pair
from PIL import Image
from plain_install import PYTHON, environment, link_packages, requirements

from deepgbass.extras import TRAINING


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder of packages, and the names of these."""
    folder = tmp_path_factory.mktemp("install")
    packages = folder / "packages"
    return packages, link_packages(packages, requirements(folder))


@pytest.fixture
def run(installed):
    """Runs a module in that environment."""

    def run(module, *words, **variables):
        variables |= environment(installed[0])
        return subprocess.run(
            [*PYTHON, "-m", f"deepgbass.{module}", *map(str, words)],
            capture_output=True,
            text=True,
            env={**os.environ, **variables},
            timeout=120,
        )

    return run


def test_it_pulls_no_tensorflow(installed):
    names = {name.replace("-", "_") for name in installed[1]}
    assert {"numpy", "pillow", "ai_edge_litert"} <= names
    assert not names & (TRAINING | {"keras", "jax", "torch"})


def test_tensorflow_cannot_be_imported_there(installed):
    found = subprocess.run(
        [*PYTHON, "-c", "import numpy, ai_edge_litert, tensorflow"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment(installed[0])},
    )
    assert "No module named 'tensorflow'" in found.stderr


def test_the_benchmark_runs(tmp_path, run):
    write_model(tmp_path / "toy.tflite")
    page = tmp_path / "times.html"
    found = run("ondevice.benchmark", tmp_path / "toy.tflite", f"--html={page}")
    assert (found.returncode, found.stderr) == (0, "")
    assert re.search(r"interpreter +ai-edge-litert \d", found.stdout)
    assert "<svg" in page.read_text()


def test_predict_runs_on_the_cpu_and_the_edge_tpu(tmp_path, run):
    compiled, library = write_pair(tmp_path), build_library(tmp_path)
    Image.new("RGB", (35, 20), (200, 0, 0)).save(tmp_path / "a.png")
    for model in (tmp_path / "toy.tflite", compiled):
        out = tmp_path / model.stem
        found = run(
            "predict",
            f"--model={model}",
            f"--library={library}",
            f"--output_dir={out}",
            "--boundaries",
            "--labels=dataset_ids",
            tmp_path / "a.png",
        )
        assert (found.returncode, found.stderr) == (0, "")
        assert len(list(out.iterdir())) == 2


def test_the_demo_begins(tmp_path, run):
    # A model that is lost at once: else the page would be served for ever.
    compiled, library = write_pair(tmp_path), build_library(tmp_path)
    found = run("demo", compiled, f"--library={library}", STAND_IN="lost:1")
    assert found.returncode == 1
    assert "failed during an inference" in found.stderr


def test_training_says_what_to_install(run):
    found = run("ledger")
    assert found.returncode == 1
    assert "pip install 'deepgbass[train]'" in found.stderr
    assert "Traceback" not in found.stderr

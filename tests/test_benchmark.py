"""The benchmark as a user runs it, with and without a (stand-in) Edge TPU."""

import json
import multiprocessing
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

import numpy as np
import pytest
from absl import app, flags
from conftest import ROOT, defined_flags
from edgetpu_stand_in import build_library, write_model, write_pair

from deepgbass.errors import UserError
from deepgbass.ondevice import benchmark as command
from deepgbass.ondevice.benchmark_page import page
from deepgbass.ondevice.latency import PHASES
from deepgbass.ondevice.measurement import Measurement, Plan, measure
from deepgbass.ondevice.results import (
    collect,
    conditions,
    facts,
    short_names,
)


def run_benchmark(*words, **environment):
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        [sys.executable, "-m", "deepgbass.ondevice.benchmark", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return str(build_library(tmp_path_factory.mktemp("library")))


def test_two_models_are_timed_in_turn(tmp_path):
    write_model(tmp_path / "toy.tflite")
    write_model(tmp_path / "other.tflite", dtype="uint8")
    result = run_benchmark(
        str(tmp_path / "toy.tflite"),
        "--compare",
        str(tmp_path / "other.tflite"),
        f"--json={tmp_path / 'times.json'}",
        f"--html={tmp_path / 'times.html'}",
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    for word in ("p99", "post-processing", "XNNPACK", "ai-edge-litert"):
        assert word in result.stdout
    assert "Times as long as toy.tflite" in result.stdout
    results = json.loads((tmp_path / "times.json").read_text())
    assert (results["complete"], results["runs"]) == (True, 200)
    assert [len(model["runs_ms"]) for model in results["models"]] == [200] * 2
    for model in results["models"]:
        total = model["phases"]["total"]
        assert total["min"] <= total["p50"] <= total["p90"] <= total["max"]
        parts = sum(model["phases"][phase]["mean"] for phase in PHASES)
        assert total["mean"] == pytest.approx(parts)
    assert "<svg" in (tmp_path / "times.html").read_text()


def test_the_system_library_is_found_and_compared(tmp_path, library):
    compiled = write_pair(tmp_path)
    result = run_benchmark(
        str(compiled),
        "--device=usb:0",
        LD_LIBRARY_PATH=os.path.dirname(library),
        STAND_IN_LOG=str(tmp_path / "options"),
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "options").read_text() == "device=usb:0\n"
    assert "RuntimeVersion(13)" in result.stdout
    assert "100.00 % equal labels with toy.tflite" in result.stdout
    assert re.search(r"Edge TPU subgraphs +1\n", result.stdout)
    assert "512 bytes a run" in result.stdout


def measured(compiled, library, monkeypatch, mode, **options):
    monkeypatch.setenv("STAND_IN", mode)
    plan = Plan((str(compiled),), library=library, **{"runs": 40, **options})
    return plan, measure(plan)


@pytest.mark.parametrize("mode", ["lost", "abort"])
def test_an_unplugged_device_leaves_what_was_measured(
    tmp_path, library, monkeypatch, mode
):
    compiled = write_pair(tmp_path)
    # 4 pictures are compared and 10 runs warm up before the first that counts.
    plan, found = measured(compiled, library, monkeypatch, f"{mode}:30")
    assert "no longer on the bus" in found.problem
    assert len(found.times) == 30 - 1 - 4 - 10
    results = collect(plan, found)
    assert not results["complete"] and results["runs"] == 15
    assert "Only 15 of 40 runs: " in page(results)


def test_partial_results_are_written_and_the_command_fails(tmp_path, library):
    compiled, target = write_pair(tmp_path), tmp_path / "times.json"
    result = run_benchmark(
        str(compiled),
        f"--library={library}",
        f"--json={target}",
        STAND_IN="abort:50",
    )
    assert result.returncode == 1
    assert "error: only 35 of 200 runs" in result.stderr
    assert "Traceback" not in result.stderr
    assert json.loads(target.read_text())["runs"] == 35


@pytest.mark.parametrize(
    ("mode", "pattern"),
    [
        ("crash", "SIGSEGV.*one version of TensorFlow"),
        ("no_device", "no Edge TPU"),
        ("wrong", "below 99 % no time is claimed"),
        ("lost:1", "failed during an inference"),
        ("lost:8", "failed during an inference"),
        ("abort:2", "SIGABRT during an inference: F driver/usb"),
    ],
)
def test_nothing_measured_is_an_error(
    tmp_path, library, monkeypatch, mode, pattern
):
    with pytest.raises(UserError, match=pattern):
        measured(write_pair(tmp_path), library, monkeypatch, mode)


def test_a_killed_run_on_the_cpu_does_not_blame_the_edge_tpu(tmp_path):
    path = tmp_path / "toy.tflite"
    write_model(path)

    def kill(done):
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(UserError, match=r"signal 9: too little memory"):
        measure(Plan((str(path),)), kill)


def test_ctrl_c_leaves_what_was_measured(tmp_path):
    path = tmp_path / "toy.tflite"
    write_model(path)

    def interrupt(done):
        if done:
            raise KeyboardInterrupt

    # More runs than can be over at the first look.
    found = measure(Plan((str(path),), runs=100_000), interrupt)
    assert found.problem == "interrupted"
    assert 0 < len(found.times) < 100_000
    assert collect(Plan((str(path),)), found)["complete"] is False


def test_a_warning_about_a_file_is_passed_on(tmp_path):
    path = tmp_path / "toy.tflite"
    write_model(path)
    path.with_suffix(".json").write_text("{}")
    plan = Plan((str(path),), runs=2)
    (note,) = measure(plan).notes
    assert "toy.json does not describe toy.tflite" in note


def test_no_edge_tpu_is_asked_for_in_vain(tmp_path, library):
    compiled = write_pair(tmp_path)
    twin = str(tmp_path / "toy.tflite")
    with pytest.raises(UserError, match="not compiled for the Edge TPU"):
        measure(Plan((twin,), "edgetpu", library=library))
    with pytest.raises(UserError, match="does not run on a CPU"):
        measure(Plan((str(compiled),), "cpu"))
    (tmp_path / "toy.tflite").unlink()
    with pytest.raises(UserError, match="cannot be read.*--cpu_model"):
        measure(Plan((str(compiled),), library=library))


@pytest.mark.parametrize(
    ("others", "values", "pattern"),
    [
        (["none.tflite"], {}, "none.tflite: there is no such file"),
        ([], {"device": "tpu"}, "--device=tpu"),
        ([], {"compare": ["M"]}, "named twice"),
        ([], {"html": "no/such/folder/x.html"}, "there is no folder"),
        ([], {"json": "."}, "--json=. is a folder"),
        ([], {"json": "/proc/x.json"}, "--json=/proc cannot be written"),
        ([], {"cpu_model": "twin.tflite"}, "--cpu_model=twin.tflite is for"),
        ([], {"image": ["none.jpg"]}, "none.jpg is not a readable image"),
    ],
)
def test_bad_words_are_refused(tmp_path, others, values, pattern):
    model = str(tmp_path / "toy.tflite")
    write_model(model)
    if "compare" in values:
        values = {"compare": [model]}
    with (
        defined_flags(command, **values),
        pytest.raises(UserError, match=pattern),
    ):
        command.main(["benchmark", model, *others])


def test_a_model_is_needed():
    with defined_flags(command), pytest.raises(app.UsageError):
        command.main(["benchmark"])


@pytest.mark.parametrize("values", [{"runs": 199}, {"warmup": 9}])
def test_too_few_runs_are_refused(values):
    with (
        pytest.raises(flags.IllegalFlagValueError),
        defined_flags(command, **values),
    ):
        pass


@pytest.fixture
def results():
    """Two models, the second of which takes twice as long."""
    rng = np.random.default_rng(0)
    base = rng.gamma(50.0, 1e-4, (200, 1, len(PHASES)))
    times = np.concatenate([base, 2 * base], axis=1)
    model = {
        "path": "a/<one>.tflite",
        "bytes": 1_000_000,
        "input": {"size": [8, 12], "dtype": "int8"},
        "output": {
            "content": "logits",
            "size": [2, 3],
            "classes": 3,
            "dtype": "int8",
        },
        "structure": None,
        "delegate": "cpu",
        "edgetpu": None,
        "agreement": None,
    }
    models = [model, {**model, "path": "a/two.tflite"}]
    runtime = {"name": "r", "version": "1", "passed_over": {"s": "gone"}}
    found = Measurement(runtime, models, times[:10], times)
    return collect(Plan(("a/<one>.tflite", "a/two.tflite")), found)


def test_ratios_are_those_of_the_rounds(results):
    (ratio,) = results["ratios"]
    assert ratio["total"] == pytest.approx({"p10": 2, "median": 2, "p90": 2})
    assert (ratio["model"], ratio["to"]) == ("a/two.tflite", "a/<one>.tflite")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.tflite", "b/y.tflite"], ["x.tflite", "y.tflite"]),
        (["r/a/x.tflite", "r/b/x.tflite"], ["a/x.tflite", "b/x.tflite"]),
        (["x.tflite", "b/x.tflite"], ["x.tflite", "b/x.tflite"]),
        (["a/x.tflite"] * 2, ["x.tflite"] * 2),
    ],
)
def test_names_are_short_and_tell_models_apart(paths, names):
    assert short_names(paths) == names


def test_what_is_not_known_is_said_to_be_unknown(results):
    assert "instead of s" in conditions(results)["interpreter"]
    assert "unknown" in facts(results["models"][0])["operators"]


def test_the_page_is_one_file_that_a_browser_can_draw(results):
    text = page(results)
    assert "<script" not in text and "src=" not in text
    assert "<one>" not in text and "&lt;one&gt;" in text
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == 2
    for drawing in drawings:
        # Well-formed, and nothing falls outside.
        root = xml.etree.ElementTree.fromstring(drawing)
        _, _, width, height = map(float, root.get("viewBox").split())
        for mark in root.iter("text"):
            assert 0 <= float(mark.get("x")) <= width
            assert 0 <= float(mark.get("y")) <= height
        assert "nan" not in drawing
    links = set(re.findall(r'href="#(\w+)"', text))
    assert links <= set(re.findall(r'id="(\w+)"', text)) and links


def test_runs_of_one_length_can_be_drawn(results):
    for model in results["models"]:
        model["runs_ms"] = [5.0] * 200
    assert "nan" not in page(results)

"""Which models are timed, and when again; the times are made up."""

import json

import numpy as np
import pytest

from deepgbass.ablation import latency
from deepgbass.ondevice.measurement import Measurement


@pytest.fixture
def calls(monkeypatch):
    found = []

    def measure(plan):
        found.append(plan)
        times = np.ones((plan.runs, len(plan.models), 4))
        times[:, :, 1] = 0.01 * np.arange(1, len(plan.models) + 1)
        return Measurement(runtime={"name": "r"}, times=times)

    monkeypatch.setattr(latency, "measure", measure)
    return found


def write_model(workdir, key, seed, quantization, content=b"x"):
    path = workdir / key / f"seed{seed}" / "export"
    path.mkdir(parents=True, exist_ok=True)
    (path / f"model_{quantization}.tflite").write_bytes(content)


TRIALS = {"dgd": {0: None, 1: None}, "full": {2: None}, "sbl": {}}


def test_all_models_take_turns_in_one_run(tmp_path, calls):
    write_model(tmp_path, "dgd", 0, "int8")
    write_model(tmp_path, "dgd", 0, "float")
    write_model(tmp_path, "dgd", 1, "int8")
    write_model(tmp_path, "full", 2, "int8")
    latency.measure_latency(tmp_path, TRIALS)
    found = latency.medians(latency.read_latency(tmp_path))
    # The median of the network's part alone, in milliseconds.
    assert found == {
        "dgd": {"int8": pytest.approx(10), "float_tflite": pytest.approx(20)},
        "full": {"int8": pytest.approx(30)},
    }
    (plan,) = calls
    assert plan.threads == 2 and plan.delegate == "cpu"
    assert len(plan.models) == 3
    assert not any("seed1" in path for path in plan.models)
    values = latency.read_latency(tmp_path)
    assert values["host"]["cores"] >= 1 and values["rounds"] == plan.runs


def test_the_first_seed_with_a_model_is_timed(tmp_path, calls):
    write_model(tmp_path, "dgd", 0, "int8")
    write_model(tmp_path, "dgd", 1, "int8")
    write_model(tmp_path, "dgd", 1, "float")
    latency.measure_latency(tmp_path, TRIALS)
    (plan,) = calls
    assert [path.split("/")[-3] for path in plan.models] == ["seed0", "seed1"]


def test_only_other_models_are_timed_again(tmp_path, calls):
    write_model(tmp_path, "dgd", 0, "int8")
    latency.measure_latency(tmp_path, TRIALS)
    first = latency.read_latency(tmp_path)
    latency.measure_latency(tmp_path, TRIALS)
    assert latency.read_latency(tmp_path) == first
    assert len(calls) == 1
    write_model(tmp_path, "dgd", 0, "int8", b"retrained")
    latency.measure_latency(tmp_path, TRIALS)
    assert len(calls) == 2


def test_times_of_models_that_are_gone_stay(tmp_path, calls):
    write_model(tmp_path, "dgd", 0, "int8")
    latency.measure_latency(tmp_path, TRIALS)
    first = latency.read_latency(tmp_path)
    first["sha256"]["baseline int8"] = "of another machine"
    (tmp_path / latency.FILE_NAME).write_text(json.dumps(first))
    latency.measure_latency(tmp_path, TRIALS)
    assert latency.read_latency(tmp_path) == first
    assert len(calls) == 1


def test_without_exports_nothing_is_timed(tmp_path, calls):
    latency.measure_latency(tmp_path, TRIALS)
    assert latency.read_latency(tmp_path) == {}
    assert not calls and not list(tmp_path.iterdir())

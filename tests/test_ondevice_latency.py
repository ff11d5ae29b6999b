"""What is timed, in which order, and what is made of the times."""

import statistics
import time
import types

import numpy as np
import pytest

from deepgbass.ondevice import latency


class FakeModel:
    """Takes known times for its stages and notes its runs."""

    size = (4, 6)
    output = "logits"
    description = types.SimpleNamespace(size=size, align_corners=False)

    def __init__(self, name, runs, pause=0.0):
        self.name, self.runs, self.pause = name, runs, pause

    def set_input(self, image):
        self.image = image

    def invoke(self):
        self.runs.append(self.name)
        time.sleep(self.pause)

    def get_output(self):
        return np.zeros((2, 3, 5), np.int8)


def test_models_take_turns_and_none_is_always_first():
    runs = []
    models = [FakeModel(name, runs) for name in "abc"]
    rounds = list(latency.take_turns(models, [None] * 3, 3))
    assert "".join(runs) == "abcbcacab"
    assert np.shape(rounds) == (3, 3, len(latency.PHASES))


def test_a_times_place_is_its_models_whoever_begins():
    runs = []
    models = [FakeModel("slow", runs, 0.02), FakeModel("fast", runs)]
    rounds = np.array(list(latency.take_turns(models, [None] * 2, 4)))
    invoke = rounds[:, :, latency.PHASES.index("invoke")]
    assert (invoke[:, 0] > 0.02).all() and (invoke[:, 1] < 0.02).all()
    other = np.delete(rounds[:, 0], latency.PHASES.index("invoke"), axis=1)
    assert (np.median(other, axis=0) < 0.02).all()


def test_summary_is_that_of_the_statistics_module():
    seconds = np.random.default_rng(0).gamma(9.0, 1e-3, 201)
    found = latency.summarize(seconds)
    times = [1e3 * x for x in seconds]
    assert found["mean"] == pytest.approx(statistics.fmean(times))
    assert found["std"] == pytest.approx(statistics.pstdev(times))
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    for percent in (50, 90, 99):
        assert found[f"p{percent}"] == pytest.approx(cuts[percent - 1])
    assert (found["min"], found["max"]) == (min(times), max(times))


def test_the_total_is_that_of_runs_not_of_percentiles():
    # Two runs whose stages are slow in turn: every total is 3 ms.
    times = 1e-3 * np.array([[1, 2, 0, 0], [2, 1, 0, 0]])
    found = latency.summarize_phases(times)
    assert list(found) == [*latency.PHASES, "total"]
    assert found["total"]["std"] == pytest.approx(0)
    assert found["total"]["p99"] == pytest.approx(3)
    assert found["invoke"]["max"] == pytest.approx(2)


def test_a_ratio_is_taken_round_by_round():
    # A machine that slows down fourfold, and a model that takes twice as long.
    base = np.linspace(1, 4, 101)
    found = latency.ratio(2 * base, base)
    assert found == pytest.approx({"p10": 2, "median": 2, "p90": 2})
    varied = latency.ratio(np.linspace(1, 2, 101), np.ones(101))
    assert varied == pytest.approx({"p10": 1.1, "median": 1.5, "p90": 1.9})

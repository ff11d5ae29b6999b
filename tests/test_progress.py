"""Progress in logs, which have no terminal."""

import io
import re
import time

import pytest
from rich.console import Console

from deepgbass import progress
from deepgbass.progress import TrainingProgress, duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set: `clock[0]` is the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0.4, "0 s"),
        (99, "99 s"),
        (100, "2 min"),
        (3570, "1 h 00 min"),
        (3540, "59 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_durations_are_short_words(seconds, words):
    assert duration(seconds) == words


def test_the_time_left_leaves_out_the_tracing(clock, capsys):
    assert not progress.console.is_terminal
    with TrainingProgress(first=0, total=40, batch_size=2) as bar:
        clock[0] += 60
        assert bar.update(2, 1.5) == pytest.approx(4 / 60)
        assert bar.left == ""
        clock[0] += 6
        assert bar.update(4, 1.25) == pytest.approx(4 / 6)
        assert bar.left == duration(36 * 3)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "step 2/40 · loss 1.500 · 0.1 img/s",
        "step 4/40 · loss 1.250 · 0.7 img/s · ETA 2 min",
    ]


def test_one_slow_span_does_not_rule_the_time_left(clock):
    with TrainingProgress(first=10, total=1000, batch_size=1) as bar:
        for step in range(11, 60):
            clock[0] += 1
            bar.update(step, 1.0)
        clock[0] += 6
        bar.update(60, 1.0)
    # 2 s a step, not 6.
    assert bar.left == duration(2 * 940)


def test_the_clock_stands_still_while_paused(clock):
    with TrainingProgress(first=0, total=40, batch_size=2) as bar:
        clock[0] += 1
        bar.update(1, 1.0)
        with bar.paused():
            clock[0] += 50
        clock[0] += 1
        assert bar.update(2, 1.0) == pytest.approx(2)


def test_a_long_log_stays_short(clock, capsys):
    with TrainingProgress(first=0, total=10_000, batch_size=1) as bar:
        for step in range(1, 10_001):
            clock[0] += 1
            bar.advance(step)
            bar.update(step, 1.0)
    assert len(capsys.readouterr().out.splitlines()) == 20


@pytest.mark.parametrize("unit", ["img", None])
def test_a_bar_tells_the_speed_of_its_items(clock, monkeypatch, unit):
    output = io.StringIO()
    terminal = Console(file=output, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "console", terminal)
    for _ in progress.track(range(8), "segmenting", 8, unit):
        clock[0] += 0.5
    assert "segmenting" in output.getvalue()
    assert bool(re.search(r"\d\.\d img/s", output.getvalue())) == bool(unit)

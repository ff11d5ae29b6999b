"""Progress with speed and ETA: a bar on a terminal, lines in a log."""

import contextlib
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

console = Console(highlight=False, soft_wrap=True)

# A log needs no more than this many lines of one run.
_LOG_LINES = 20


class TrainingProgress:
    """Shows loss, images a second and the time left of a training run.

    Args:
        first: int. Steps done before this process began.
        total: int. Steps in all.
        batch_size: images a step.
    """

    def __init__(self, first, total, batch_size):
        self._total = total
        self._batch_size = batch_size
        self._step = first
        self._time = time.perf_counter()
        self._bar = Progress(
            TextColumn("[bold]train"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(
            "", total=total, completed=first, status="tracing the network"
        )

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *_):
        self._bar.stop()

    def update(self, step, loss):
        """Shows the state after `step`.

        Returns:
            float. Images a second since the last update.
        """
        now = time.perf_counter()
        speed = (step - self._step) * self._batch_size / (now - self._time)
        status = f"loss {loss:.3f} · {speed:.1f} img/s"
        self._bar.update(self._task, completed=step, status=status)
        chunk = max(self._total // _LOG_LINES, 1)
        if not console.is_terminal and step // chunk > self._step // chunk:
            minutes = (self._total - step) * self._batch_size / speed / 60
            console.print(
                f"step {step}/{self._total} · {status} · ETA {minutes:.0f} min"
            )
        self._step, self._time = step, now
        return speed

    @contextlib.contextmanager
    def paused(self):
        """Hides the bar and stops the clock for work between steps."""
        self._bar.stop()
        began = time.perf_counter()
        try:
            yield
        finally:
            self._time += time.perf_counter() - began
            self._bar.start()


def track(items, description, total):
    """Passes the items on; on a terminal, a bar appears after two seconds."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task(description, total=total)
    began = time.perf_counter()
    try:
        for item in items:
            yield item
            bar.advance(task)
            if not bar.live.is_started and time.perf_counter() - began > 2:
                bar.start()
    finally:
        bar.stop()

"""Progress with speed and ETA: a bar on a terminal, lines in a log."""

import contextlib
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

# No markup: paths and class names may have brackets.
console = Console(highlight=False, soft_wrap=True, markup=False)

# A log needs no more than this many lines of one run.
_LOG_LINES = 20

# Share of the newest span in the pace that the time left is told from.
_SMOOTHING = 0.2


class TrainingProgress:
    """Shows loss, images a second and the time left of a training run.

    Args:
        first: int. Steps done before this process began.
        total: int. Steps in all.
        batch_size: images a step.

    Attributes:
        left: the time left in words; "" as long as nothing is known.
    """

    def __init__(self, first, total, batch_size):
        self._total = total
        self._batch_size = batch_size
        self._step = first
        self._time = time.perf_counter()
        self._pace, self._updates = None, 0
        self.left = ""
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

    def advance(self, step):
        """Moves the bar to `step`: cheap enough for every step."""
        self._bar.update(self._task, completed=step)

    def update(self, step, loss):
        """Shows the state after `step`.

        Returns:
            float. Images a second since the last update.
        """
        now = time.perf_counter()
        pace = (now - self._time) / (step - self._step)
        speed = self._batch_size / pace
        # The first span holds the tracing of the network.
        if self._updates == 1:
            self._pace = pace
        elif self._updates:
            self._pace += _SMOOTHING * (pace - self._pace)
        self._updates += 1
        if self._pace is not None:
            self.left = duration((self._total - step) * self._pace)
        status = f"loss {loss:.3f} · {speed:.1f} img/s"
        self._bar.update(self._task, completed=step, status=status)
        chunk = max(self._total // _LOG_LINES, 1)
        if not console.is_terminal and step // chunk > self._step // chunk:
            left = f" · ETA {self.left}" if self.left else ""
            console.print(f"step {step}/{self._total} · {status}{left}")
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


def duration(seconds):
    """A length of time in words, e.g. "40 s", "12 min", "3 h 05 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def track(items, description, total, unit=None):
    """Passes the items on; on a terminal, a bar appears after two seconds.

    Args:
        items: iterable.
        description: what is being done.
        total: number of items; None where nobody knows it.
        unit: None, or what an item is, for their number a second: "img".
    """
    columns = [BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    if unit is not None:
        columns.insert(2, _Speed(unit))
    bar = Progress(
        TextColumn("{task.description}"),
        *columns,
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


class _Speed(ProgressColumn):
    """Items a second, as soon as it is known."""

    def __init__(self, unit):
        super().__init__()
        self._unit = unit

    def render(self, task):
        speed = task.speed
        return Text("" if speed is None else f"{speed:.1f} {self._unit}/s")

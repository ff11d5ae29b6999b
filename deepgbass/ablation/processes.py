"""Runs the trials of a table in processes of their own.

A process a trial: what one leaves behind, memory or a crash, is not the
next one's. Its output goes to the screen and to a log beside its folder.
"""

import concurrent.futures
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading

from deepgbass.files import write_atomic
from deepgbass.progress import console

# Read from the environment by TensorFlow.
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class Stopped(Exception):
    """The command was asked to end, and its trials with it.

    Attributes:
        status: exit status that says so, 128 + the signal's number.
    """

    def __init__(self, signum):
        super().__init__("stopped; the same command goes on where it was")
        self.status = 128 + signum


def command(trial, data_dir):
    """The words of the process that carries out a trial."""
    config = trial.folder.with_suffix(".json")
    write_atomic(config, trial.config.to_json())
    return [
        sys.executable,
        "-m",
        "deepgbass.ablation.trial",
        f"--config={config}",
        f"--workdir={trial.folder}",
        f"--data_dir={data_dir}",
        f"--quantizations={','.join(trial.quantizations)}",
    ]


def run_trials(
    trials, data_dir, parallel=1, command=command, after=lambda: None
):
    """Runs those trials that are not done, and goes on where one fails.

    Args:
        trials: list of `Trial`.
        data_dir: folder of records.
        parallel: how many at a time; they share the cores.
        command: function of a trial and `data_dir` that gives the words of
            its process.
        after: called when a trial is done, never twice at a time.

    Returns:
        The trials that failed.

    Raises:
        Stopped: Ctrl-C, SIGTERM or a closed terminal; the trials under way
            have saved.
    """
    children = _Children(os.cpu_count() or 1, parallel)
    waiting = []
    for trial in trials:
        if trial.is_done():
            console.print(f"{trial.name}: done already")
        else:
            waiting.append(trial)
    with (
        children.stopped_by_signals(),
        concurrent.futures.ThreadPoolExecutor(parallel) as pool,
    ):
        one_at_a_time = threading.Lock()

        def carry_out(trial, number):
            turn = f"{number} of {len(waiting)}"
            status = children.run(trial, turn, command, data_dir)
            if status == 0:
                with one_at_a_time:
                    after()
            return status

        statuses = list(pool.map(carry_out, waiting, itertools.count(1)))
    if children.stopped:
        raise Stopped(children.stopped)
    return [
        trial
        for trial, status in zip(waiting, statuses, strict=True)
        if status != 0
    ]


class _Children:
    """The processes under way, which a signal to this one stops."""

    def __init__(self, cores, parallel):
        self.stopped = 0
        self._running = set()
        self._prefixed = parallel > 1
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if parallel > 1:
            threads = str(max(cores // parallel, 1))
            self._environment |= dict.fromkeys(_THREADS, threads)

    @contextlib.contextmanager
    def stopped_by_signals(self):
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {s: signal.signal(s, self._stop) for s in signals}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def _stop(self, signum, frame):
        self.stopped = signum
        for process in tuple(self._running):
            self._pass_on(process)

    def _pass_on(self, process):
        # A trial saves at SIGTERM, as of a closed terminal it knows nothing.
        hung_up = self.stopped == signal.SIGHUP
        process.send_signal(signal.SIGTERM if hung_up else self.stopped)

    def run(self, trial, turn, command, data_dir):
        """Runs a trial and passes on what it prints; gives its exit status."""
        if self.stopped:
            return None
        if not self._prefixed:
            console.rule(f"{trial.name} ({turn})")
        trial.folder.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            command(trial, data_dir),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment,
            # Ctrl-C reaches it through this process alone, and once.
            start_new_session=True,
        )
        self._running.add(process)
        if self.stopped:  # Between the first line and this one.
            self._pass_on(process)
        prefix = f"[{trial.name}] " if self._prefixed else ""
        with trial.folder.with_suffix(".log").open("a") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                console.print(f"{prefix}{line.rstrip()}")
        status = process.wait()
        self._running.discard(process)
        if status and not self.stopped:
            console.print(
                f"{trial.name} failed with status {status}; see "
                f"{trial.folder.with_suffix('.log')}"
            )
        return status

"""The checkpoints of a work directory: which are sound, which is best.

The newest sound one wins. A damaged one is named and left alone.
"""

import contextlib
import itertools
import os
import pathlib
import re

import tensorflow as tf

from deepgbass.configs import load_config
from deepgbass.errors import UserError
from deepgbass.files import remove_folder, remove_temporaries
from deepgbass.lock import locked_folder
from deepgbass.progress import console
from deepgbass.training import checkpoint_files
from deepgbass.training.workers import PEER_ERRORS
from deepgbass.versions import commit

_LOCK = ".training"

# What a training writes to its work directory: files that a killed one may
# leave half written.
_WRITTEN = (
    "config.json",
    "dataset.json",
    "history.jsonl",
    "report.html",
    "verified.json",
)


def checkpoint_dir(workdir):
    return pathlib.Path(workdir) / "checkpoints"


def find(workdir, which="newest"):
    """A sound checkpoint of a work directory.

    Args:
        workdir: folder that train.py made.
        which: "newest"; "best", of those that were evaluated, by
            `train.best_by`; or a step (int or digits).

    Returns:
        `Saved`.

    Raises:
        UserError: there is none, or it is damaged.
    """
    folder = checkpoint_dir(workdir)
    steps = _folders(workdir)
    if not steps:
        raise UserError(
            f"{folder} has no checkpoint; train first "
            f"(train.py --workdir={workdir})"
        )
    if which == "newest":
        return next(_sound(workdir))
    if which == "best":
        best = _best(_sound(workdir), load_config(workdir).train.best_by, 1)
        if not best:
            raise UserError(
                f"{folder}: no checkpoint was evaluated, so none is the best; "
                "take the newest, or evaluate first "
                f"(train.py --workdir={workdir} --mode=eval)"
            )
        return best[0]
    with contextlib.suppress(ValueError):
        which = int(which)
    if which not in steps:
        there = ", ".join(str(step) for step in sorted(steps))
        raise UserError(
            f"{folder} has no checkpoint {which!r}; choose newest, best or "
            f"one of the steps {there}"
        )
    try:
        return checkpoint_files.check(steps[which])
    except UserError as error:
        raise UserError(
            f"checkpoint {steps[which]} is damaged: {error}; choose another"
        ) from None


def record_scores(workdir, step, scores):
    """Keeps what an evaluation measured with the checkpoint of that step.

    Nothing happens while a training works in the folder: it may be about to
    remove the checkpoint, and evaluates by itself.
    """
    with contextlib.suppress(UserError), alone(workdir):
        checkpoint_files.record_scores(find(workdir, step), scores)


@contextlib.contextmanager
def alone(workdir):
    """Holds a work directory, made if absent, for one training.

    What a killed one left half written is cleared away. A folder that is
    empty afterwards is removed.

    Raises:
        UserError: another training is at work, or it cannot be written.
    """
    workdir = pathlib.Path(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        lock = contextlib.ExitStack()
        lock.enter_context(locked_folder(workdir / _LOCK, "training"))
    except OSError as error:
        raise UserError(
            f"--workdir={workdir} cannot be written: {error.strerror}"
        ) from None
    try:
        with lock:
            for name in _WRITTEN:
                remove_temporaries(workdir, name)
            yield
    finally:
        with contextlib.suppress(OSError):
            workdir.rmdir()


class Checkpoints:
    """The checkpoints of a training: restored, written, thinned out.

    Made while the work directory is held (`alone`): it clears away what a
    killed run left unfinished.

    Args:
        workdir: of the run.
        config: `ExperimentConfig`: `train.keep`, `keep_best` and `best_by`
            say what stays. What this run finds damaged, or does not know,
            stays too.
        chief: False for the other workers of a multi-worker strategy. They
            read none, and take part in writing.

    Raises:
        UserError: there are checkpoints, and all are damaged.
    """

    def __init__(self, workdir, config, chief=True):
        self._folder = checkpoint_dir(workdir)
        self._config = config
        self._chief = chief
        commit()  # others may commit while this trains
        if chief:
            for path in (self._folder, *self._folder.glob("step-*")):
                remove_temporaries(path)
        self._sound = list(_sound(workdir))[::-1] if chief else []

    @property
    def newest(self):
        """`Saved`, or None before the first."""
        return self._sound[-1] if self._sound else None

    @property
    def step(self):
        """The step that is saved; 0 before the first."""
        return self.newest.step if self.newest else 0

    def restore(self, trackables):
        """Reads the newest into objects, as `checkpoint_files.restore`."""
        checkpoint_files.restore(self.newest, trackables)

    def save(self, step, trackables):
        """Writes a checkpoint and removes those that need not stay.

        Under a multi-worker strategy all workers must call it.

        Args:
            step: int. Steps done, more than at the last time.
            trackables: dict of name -> object to save, one of them "model".

        Raises:
            UserError: it cannot be written; earlier ones are there still.
        """
        path = self._folder / checkpoint_files.folder_name(step)
        with self.writing(step):
            if self._chief and path.exists():
                _set_aside(path)
            saved = checkpoint_files.write(
                path, step, trackables, self._config, self._chief
            )
            if saved:
                self._sound.append(saved)
                self._thin_out()

    def record(self, scores):
        """Keeps what an evaluation of the newest measured, if chief.

        Args:
            scores: dict with "miou" and "mbf", shares in 0..1 or None.
        """
        if self._chief:
            with self.writing(self.step):
                self._sound[-1] = checkpoint_files.record_scores(
                    self.newest, scores
                )
                self._thin_out()

    @contextlib.contextmanager
    def writing(self, step):
        """Makes a failure to write a UserError that tells what is saved."""
        try:
            yield
        except PEER_ERRORS:
            raise  # another worker's fault, not that of the disk
        except (OSError, tf.errors.OpError) as error:
            saved = (
                f"step {self.step} is saved ({self.newest.path.name}) and "
                "the same command continues there"
                if self.newest
                else "no checkpoint was saved yet"
            )
            raise UserError(
                f"{self._folder.parent} cannot be written at step {step} "
                f"({_reason(error)}): {saved}, once that is mended"
            ) from error

    def _thin_out(self):
        train = self._config.train
        best = _best(self._sound, train.best_by, train.keep_best)
        stay = [*self._sound[-train.keep :], *best]
        for saved in self._sound:
            if saved not in stay:
                remove_folder(saved.path)
        self._sound = [saved for saved in self._sound if saved in stay]


def _folders(workdir):
    """Step -> folder of each checkpoint, sound or not."""
    paths = checkpoint_dir(workdir).glob("*")
    steps = {checkpoint_files.step_of(path): path for path in paths}
    return {step: path for step, path in steps.items() if step is not None}


def _sound(workdir):
    """Yields the sound checkpoints, newest first; warns of each damaged one.

    Raises:
        UserError: there are some, and none is sound.
    """
    paths = _folders(workdir)
    damaged = []
    for _, path in sorted(paths.items(), reverse=True):
        try:
            yield checkpoint_files.check(path)
        except UserError as error:
            damaged.append(f"{path.name} ({error})")
            console.print(
                f"warning: checkpoint {path} is damaged and skipped: {error}"
            )
    if paths and len(damaged) == len(paths):
        raise UserError(
            f"{checkpoint_dir(workdir)}: all checkpoints are damaged: "
            f"{', '.join(damaged)}; remove them to begin anew"
        )


def _best(saved, by, count):
    """The best of those that were evaluated, at most `count`."""
    scored = [(_score(s, by), s.step, s) for s in saved]
    ranked = sorted(entry for entry in scored if entry[0] is not None)
    # Of equals, the one that was trained for longer.
    return [s for _, _, s in ranked[::-1][:count]]


def _score(saved, by):
    """What "miou", "mbf" or their "mean" is; None if it was not measured."""
    names = ("miou", "mbf") if by == "mean" else (by,)
    values = [(saved.scores or {}).get(name) for name in names]
    return None if None in values else sum(values) / len(values)


def _reason(error):
    """Why something cannot be written, without TensorFlow's own names."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", error.message)
    return " ".join(text.split())


def _set_aside(path):
    """Renames a checkpoint that was found damaged, to make room."""
    for number in itertools.count(1):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        if not aside.exists():
            os.rename(path, aside)
            return

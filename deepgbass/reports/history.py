"""What a run measured, step by step: one JSON object a line."""

import json
import pathlib

from deepgbass.files import sync, write_atomic


class History:
    """Appends measurements to a file, which a resumed run continues.

    Args:
        path: of the JSON-lines file.
        step: int. The step that the run starts or resumes at: lines beyond
            it were written after the checkpoint, and happen again.
        evaluated: False if the evaluation of that step happens again: of its
            lines, only the first is training's.
    """

    def __init__(self, path, step=0, evaluated=True):
        self.path = pathlib.Path(path)
        lines = _lines(self.path)
        kept = [line for line in lines if line["step"] < step]
        of_step = [line for line in lines if line["step"] == step]
        kept += of_step if evaluated else of_step[:1]
        write_atomic(self.path, "".join(_dump(line) for line in kept))

    def write(self, step, values):
        """Adds a line `{"step": step, **values}`; values are floats."""
        with self.path.open("a") as file:
            file.write(_dump({"step": step, **values}))

    def sync(self):
        """Puts all lines on the disk, as a checkpoint that follows them."""
        sync(self.path)


def read_curves(path):
    """The curves in a history file.

    Returns:
        dict of measured name -> list of (step, value), by rising step.
    """
    curves = {}
    for line in _lines(pathlib.Path(path)):
        for name, value in line.items():
            # None is a metric that could not be measured.
            if name != "step" and value is not None:
                curves.setdefault(name, []).append((line["step"], value))
    return curves


def _dump(line):
    return json.dumps(line) + "\n"


def _lines(path):
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(errors="replace").splitlines():
        # A kill tears the last line; a log that somebody damaged is no reason
        # to lose the run.
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append(line)
    return lines

"""What a run measured, on the disk: history.jsonl and TensorBoard's events."""

import pathlib

import tensorflow as tf

from deepgbass.reports.history import History, read_curves
from deepgbass.reports.visualize import shrink
from deepgbass.training.event_files import drop_events

# Pixels of the longer side of TensorBoard's pictures.
LONGEST = 640


class RunLog:
    """Continues the logs of a work directory.

    Args:
        workdir: folder of the run.
        step: int. The step that it starts or resumes at: what was logged
            beyond it is logged again, and removed here.
        evaluated: False if the evaluation of that step happens again.
    """

    def __init__(self, workdir, step, evaluated=True):
        workdir = pathlib.Path(workdir)
        self._history = History(workdir / "history.jsonl", step, evaluated)
        self._drawn = "miou" in self.curves()
        folder = workdir / "tensorboard"
        drop_events(folder, step, evaluated)
        self._writer = tf.summary.create_file_writer(str(folder))

    def curves(self):
        """All that was logged so far, as `read_curves` gives it."""
        return read_curves(self._history.path)

    def record(self, step, group, values):
        """Adds a dict of name -> float, or None for what has no value.

        Args:
            step: int.
            group: "train" or "eval", how TensorBoard sorts them.
            values: dict.
        """
        self._history.write(step, values)
        with self._writer.as_default(step):
            for name, value in values.items():
                if value is not None:
                    tf.summary.scalar(f"{group}/{name}", value)

    def evaluation(self, step, metrics, views, colors):
        """Adds an evaluation, and puts all logs on the disk.

        Args:
            step: int.
            metrics: dict, as `deepgbass.evaluate` gives it.
            views: of `Gallery.views`, drawn for TensorBoard. Images and
                truth are drawn once a run.
            colors: `(classes, 3)` RGB, 0..255.
        """
        numbers = {
            name: value
            for name, value in metrics.items()
            if value is None or isinstance(value, float)
        }
        self.record(step, "eval", numbers)
        with self._writer.as_default(step):
            for number, view in enumerate(views):
                pictures = view.outcome(colors, over_image=True)
                if not self._drawn:
                    pictures |= view.reference(colors)
                for title, picture in pictures.items():
                    kind = title.partition(":")[0].replace(" ", "_")
                    tf.summary.image(
                        f"eval/{kind}/{number}_{view.name}",
                        shrink(picture, LONGEST)[None],
                    )
        self._drawn = True
        self.flush()

    def flush(self):
        """Puts all that was logged on the disk."""
        self._history.sync()
        self._writer.flush()

"""Seeing a run while it trains: history, TensorBoard, terminal, report."""

import pathlib
import time

from deepgbass.progress import TrainingProgress, console, duration
from deepgbass.reports.gallery import Gallery
from deepgbass.reports.report import Progress
from deepgbass.reports.run_report import report_progress
from deepgbass.training.run_log import RunLog

# Between two reports at checkpoints lie so many times their cost.
_PATIENCE = 100


class Monitor:
    """Takes what a run measures to where it can be seen.

    That is the terminal and, in the work directory, `history.jsonl`,
    `tensorboard/` and `report.html`, which shows the run under way until the
    report on its end replaces it. A resumed run continues all of them: what
    was measured after the checkpoint is measured again, and forgotten here.
    A context manager, within which the progress is shown.

    Args:
        config: `ExperimentConfig`.
        workdir: folder that holds its `config.json`.
        step: int. The step that the run starts or resumes at.
        evaluated: False if the evaluation of that step happens again.
        dataset: `SegmentationDataset` for evaluation.
        loss: the training loss, for the pictures of its weights.
    """

    def __init__(self, config, workdir, step, evaluated, dataset, loss):
        self._config = config
        self._workdir = pathlib.Path(workdir)
        self._dataset, self._loss = dataset, loss
        self._gallery, self._metrics, self._views = None, None, ()
        self._log = RunLog(self._workdir, step, evaluated)
        self._next_report = 0.0
        train = config.train
        self._progress = TrainingProgress(step, train.steps, train.batch_size)

    def __enter__(self):
        self._progress.__enter__()
        return self

    def __exit__(self, *error):
        self._progress.__exit__(*error)

    def advance(self, step):
        """Notes that a step is done: cheap enough for every step."""
        self._progress.advance(step)

    def log(self, step, values):
        """Records and shows a step: dict of name -> float, with `total`.

        `images_per_second` since the last call is added.
        """
        speed = self._progress.update(step, values["total"])
        self._log.record(step, "train", {**values, "images_per_second": speed})

    def flush(self):
        """Puts all that was recorded on the disk, but for the report."""
        self._log.flush()

    def refresh(self, step):
        """Brings the report up to date, if the last was long enough ago.

        So often that it takes a hundredth of the time.
        """
        if time.monotonic() > self._next_report:
            self._report(step)

    def measure(self, step, meter):
        """Measures, and draws the fixed pictures; writes nothing.

        Args:
            step: int.
            meter: function without arguments that gives metrics, a dict as
                of `deepgbass.evaluate`; its attribute `predictor` is then
                the `Predictor` that was measured.

        Returns:
            dict, the metrics.
        """
        with self._progress.paused():
            began = time.perf_counter()
            metrics = meter()
            self._measured_in = time.perf_counter() - began
            if self._gallery is None:
                self._gallery = Gallery(self._dataset, self._loss)
            self._views = self._gallery.views(meter.predictor)
            self._metrics = {"step": step, **metrics}
        return metrics

    def show(self, step, metrics):
        """Records and shows what was just measured."""
        with self._progress.paused():
            self._log.evaluation(
                step, metrics, self._views, self._dataset.info.colors
            )
            console.print(
                self._evaluation_line(step, metrics, self._measured_in)
            )
            self._report(step)

    def _evaluation_line(self, step, metrics, seconds):
        curves = self._log.curves()
        words = [f"evaluation at step {step}/{self._config.train.steps}"]
        for key, name in (("miou", "mIoU"), ("mbf", "mBF")):
            if metrics[key] is None:
                words.append(f"{name} -")
                continue
            at, best = max(curves[key], key=lambda point: point[1])
            so_far = "best" if at == step else f"best {best:.3f} at {at}"
            words.append(f"{name} {metrics[key]:.3f} ({so_far})")
        return " · ".join([*words, duration(seconds)])

    def _report(self, step):
        began = time.monotonic()
        left = self._progress.left
        report_progress(
            self._workdir / "report.html",
            self._workdir,
            Progress(
                step,
                self._config.train.steps,
                left and f"about {left} of training left",
            ),
            name=self._config.name,
            info=self._dataset.info,
            metrics=self._metrics,
            views=self._views,
        )
        now = time.monotonic()
        self._next_report = now + _PATIENCE * (now - began)

"""Measuring a work directory: while it trains, and at the end."""

import json
import pathlib

import numpy as np

from deepgbass.configs import load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.evaluation.evaluator import evaluate
from deepgbass.experiment import (
    make_loss,
    make_model,
    open_split,
    read_weights,
    require_same_network,
    restore_model,
)
from deepgbass.files import require_writable, write_atomic
from deepgbass.predictors import configured
from deepgbass.reports.gallery import Gallery
from deepgbass.reports.history import read_curves
from deepgbass.reports.run_report import Run, report_runs
from deepgbass.training import checkpoints
from deepgbass.training.run_log import RunLog


class CheckpointMeter:
    """Measures the newest checkpoint of a run that is under way.

    Args:
        workdir: folder that training writes to.
        data_dir: folder of records; not needed for the embedded set.
    """

    def __init__(self, workdir, data_dir=None):
        self._workdir = workdir
        self._data_dir = data_dir
        # Built at the first call, when the work directory exists.
        self._model = None
        self.predictor = None

    def __call__(self):
        """Returns the metrics, as `deepgbass.evaluate` gives them."""
        if self._model is None:
            config = load_config(self._workdir)
            self._dataset = open_split(
                config, self._workdir, self._data_dir, config.data.eval_split
            )
            info = self._dataset.info
            self._model = make_model(
                config.model, info.num_classes, config.data.eval_size
            )
            self.predictor = configured(self._model, info, config)
        saved = checkpoints.find(self._workdir)
        read_weights(saved, self._model, load_config(self._workdir).train)
        return evaluate(self.predictor, self._dataset)


def evaluate_run(config, workdir, data_dir=None, which="newest"):
    """Measures a trained work directory; writes metrics.json and report.html.

    The last step of a run is also added to its history and TensorBoard logs.

    Args:
        config: `ExperimentConfig`. Its network must be the work directory's;
            its data may be another split.
        workdir: folder that train.py made.
        data_dir: folder of records; not needed for the embedded set.
        which: checkpoint, as `checkpoints.find` takes it.

    Returns:
        `Run`.

    Raises:
        UserError: another experiment's folder or one that cannot be written,
            no checkpoint, bad data.
    """
    workdir = pathlib.Path(workdir)
    load_config(workdir)  # before anything is written to a mistyped folder
    require_writable(workdir, "workdir")
    dataset = open_split(config, workdir, data_dir, config.data.eval_split)
    require_same_network(config, dataset.info, workdir)
    model, step = restore_model(workdir, config.data.eval_size, which=which)
    predictor = configured(model, dataset.info, config)
    parameters = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    metrics = {
        "step": step,
        "parameters": parameters,
        **evaluate(predictor, dataset),
    }
    if _is_own_data(config, dataset.info, workdir):
        checkpoints.record_scores(workdir, step, _scores(metrics))
        _log(workdir, step, metrics, predictor, dataset)
    text = json.dumps(metrics, indent=2) + "\n"
    write_atomic(workdir / "metrics.json", text)
    run = Run(config.name, workdir, predictor, {"float": metrics})
    title = f"{run.name} at step {step}"
    report_runs(workdir / "report.html", title, [run], dataset)
    return run


def _log(workdir, step, metrics, predictor, dataset):
    config = load_config(workdir)
    measured = read_curves(workdir / "history.jsonl").get("miou", [])
    # Those on the way are the running training's.
    if step < config.train.steps or step in dict(measured):
        return
    views = Gallery(dataset, make_loss(config.loss)).views(predictor)
    RunLog(workdir, step).evaluation(step, metrics, views, dataset.info.colors)


def _scores(metrics):
    """What the best checkpoint is chosen by."""
    return {name: metrics[name] for name in ("miou", "mbf")}


def _is_own_data(config, info, workdir):
    """Whether scores compare with those of the run's own evaluations."""
    return config.data == load_config(
        workdir
    ).data and info == DatasetInfo.load(workdir)

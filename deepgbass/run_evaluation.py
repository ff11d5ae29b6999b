"""Measuring a work directory: while it trains, and at the end."""

import json
import pathlib

import numpy as np
import tensorflow as tf

from deepgbass.configs import load_config
from deepgbass.evaluation import evaluate
from deepgbass.experiment import (
    checkpoint_dir,
    make_model,
    open_split,
    require_same_network,
    restore,
    restore_model,
)
from deepgbass.files import write_atomic
from deepgbass.predictors import configured
from deepgbass.run_report import Run, report_runs


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

    def __call__(self):
        """Returns `miou` and `mbf`, shares in 0..1 or None."""
        if self._model is None:
            config = load_config(self._workdir)
            self._dataset = open_split(
                config, self._workdir, self._data_dir, config.data.eval_split
            )
            info = self._dataset.info
            self._model = make_model(
                config.model, info.num_classes, config.data.eval_size
            )
            self._predictor = configured(self._model, info, config)
        path = tf.train.latest_checkpoint(checkpoint_dir(self._workdir))
        restore(tf.train.Checkpoint(model=self._model), path)
        metrics = evaluate(self._predictor, self._dataset)
        return {name: metrics[name] for name in ("miou", "mbf")}


def evaluate_run(config, workdir, data_dir=None, name=None):
    """Measures a trained work directory; writes metrics.json and report.html.

    Args:
        config: `ExperimentConfig`. Its network must be the work directory's;
            its data may be another split.
        workdir: folder that train.py made.
        data_dir: folder of records; not needed for the embedded set.
        name: what to call the network; by default the configuration's name.

    Returns:
        `Run`.

    Raises:
        UserError: another experiment's folder, no checkpoint, bad data.
    """
    workdir = pathlib.Path(workdir)
    load_config(workdir)  # before anything is written to a mistyped folder
    dataset = open_split(config, workdir, data_dir, config.data.eval_split)
    require_same_network(config, dataset.info, workdir)
    model, step = restore_model(workdir, config.data.eval_size)
    predictor = configured(model, dataset.info, config)
    parameters = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    metrics = {
        "step": step,
        "parameters": parameters,
        **evaluate(predictor, dataset),
    }
    text = json.dumps(metrics, indent=2) + "\n"
    write_atomic(workdir / "metrics.json", text)
    run = Run(name or config.name, workdir, predictor, {"float": metrics})
    title = f"{run.name} at step {step}"
    report_runs(workdir / "report.html", title, [run], dataset)
    return run

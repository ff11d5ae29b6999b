"""The training loop: one experiment, from its configuration to a checkpoint.

A run may be stopped at any moment, by Ctrl-C, SIGTERM or SIGKILL; the same
call continues it at the newest checkpoint. Of several workers the first, the
chief, keeps the files and evaluates; the others only compute.
"""

import contextlib
import pathlib
import signal

import tensorflow as tf

from deepgbass import experiment
from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.progress import console
from deepgbass.training import checkpoints, initialization
from deepgbass.training.batch_norm import batch_norm_warning
from deepgbass.training.determinism import make_deterministic
from deepgbass.training.diagnosis import broken_step, step_images
from deepgbass.training.distribution import distributed_batches
from deepgbass.training.micro_batches import check_batch
from deepgbass.training.monitor import Monitor
from deepgbass.training.parts import freeze, rate_factors
from deepgbass.training.precision import network_precision
from deepgbass.training.stop_requests import StopRequests
from deepgbass.training.train_step import TrainStep
from deepgbass.training.workers import (
    chief_first,
    chief_value,
    copy_from_chief,
    is_chief,
    on_any_worker,
)


class Interrupted(Exception):
    """The process was asked to end; what was done is saved.

    Attributes:
        status: exit status that says so, 128 + the signal's number.
    """

    def __init__(self, message, signum):
        super().__init__(message)
        self.status = 128 + signum


def train(config, workdir, data_dir=None, meter=None, strategy=None):
    """Trains an experiment, or continues it, up to `config.train.steps`.

    Args:
        config: `ExperimentConfig`.
        workdir: folder for configuration, checkpoints and logs, of the chief.
        data_dir: folder of records with `dataset.json`; not needed for the
            embedded set.
        meter: None, or a `CheckpointMeter`, which the chief calls every
            `config.train.eval_every` steps.
        strategy: of `distribution.make_strategy`; None for one device. All
            workers call this function.

    Raises:
        UserError: bad data, a work directory of another experiment or of a
            training that is under way, one that cannot be written, initial
            weights that do not fit, or a loss that is not finite.
        Interrupted: SIGTERM or Ctrl-C; the run can be continued.
    """
    workdir = pathlib.Path(workdir)
    if config.train.deterministic:
        make_deterministic()
    strategy = strategy or tf.distribute.get_strategy()
    chief = is_chief(strategy)
    check_batch(
        experiment.make_loss(config.loss),
        config.train,
        strategy.num_replicas_in_sync,
    )
    with contextlib.ExitStack() as stack:
        if chief:
            experiment.check_workdir(config, workdir)
            stack.enter_context(checkpoints.alone(workdir))
        saved = checkpoints.Checkpoints(workdir, config, chief)
        step = int(chief_value(strategy, saved.step))
        if step == 0:
            initialization.check(config)
            _check_parts(config)
        # The split for evaluation too: its faults would show hours later.
        with chief_first(strategy):
            dataset, measured = (
                experiment.open_split(config, workdir, data_dir, split)
                for split in (config.data.train_split, config.data.eval_split)
            )
        if chief:
            experiment.claim_workdir(config, dataset.info, workdir)
        if step >= config.train.steps:
            console.print(f"Trained already: {workdir} is at step {step}")
            return
        loop = _Loop(config, dataset, saved, strategy, step)
        if chief:
            loop.open_logs(workdir, measured)
        loop.run(meter)


def _check_parts(config):
    """Makes sure that all parts named exist, before data are read."""
    train = config.train
    if train.freeze or train.rate_multipliers:
        # Thrown away: names of layers are known to a network alone.
        model = experiment.make_model(config.model, 2, config.data.crop_size)
        rate_factors(model, train.multipliers())
        freeze(model, train.freeze)


class _Loop:
    """State of one run: network, optimiser, checkpoints, logs."""

    def __init__(self, config, dataset, saved, strategy, step):
        self.config = config
        self.dataset = dataset
        self.checkpoints = saved
        self.strategy = strategy
        self.monitor = None
        train = config.train
        keras.utils.set_random_seed(train.seed)
        self.loss = experiment.make_loss(config.loss)
        with strategy.scope(), network_precision(train.precision):
            self.model = experiment.make_model(
                config.model, dataset.info.num_classes, config.data.crop_size
            )
        if step == 0:
            initialization.initialize(self.model, config, dataset)
        # All that changes from step to step: the rest is made from the
        # configuration, and from the seed and the step.
        self.train_step = TrainStep(self.model, self.loss, train, strategy)
        self.state = self.train_step.trackables()
        self._restore()
        warning = batch_norm_warning(train, strategy.num_replicas_in_sync)
        if warning:
            console.print(f"Warning: {warning}")

    @property
    def step(self):
        return int(self.train_step.step.numpy())

    @property
    def is_chief(self):
        return self.monitor is not None

    def _restore(self):
        if self.checkpoints.newest is not None and is_chief(self.strategy):
            self.checkpoints.restore(self.state)
            console.print(
                f"Resuming at step {self.step} of {self.config.train.steps} "
                f"(checkpoint {self.checkpoints.newest.path})"
            )
        copy_from_chief(self.strategy, self.train_step.variables())

    def open_logs(self, workdir, measured):
        """Makes this process the one that shows and evaluates the run."""
        newest = self.checkpoints.newest
        # An evaluation that was cut short happens again.
        evaluated = newest is None or newest.scores is not None
        with self.checkpoints.writing(self.step):
            self.monitor = Monitor(
                self.config, workdir, self.step, evaluated, measured, self.loss
            )

    def run(self, meter):
        train = self.config.train
        batches = distributed_batches(
            self.strategy,
            self.dataset,
            self.config.data,
            batch_size=train.batch_size,
            seed=train.seed,
            start_step=self.step,
        )
        first = self.step
        evaluates = self._evaluations(meter)
        with StopRequests() as stop, self.monitor or contextlib.nullcontext():
            if first in evaluates and self.checkpoints.newest.scores is None:
                self._evaluate(first, meter)
            steps = range(first + 1, train.steps + 1)
            for step, (images, labels) in zip(steps, batches, strict=False):
                parts = self.train_step(images, labels)
                if self.is_chief:
                    self.monitor.advance(step)
                stops = on_any_worker(self.strategy, bool(stop.requested))
                saves = (
                    (train.eval_every and step % train.eval_every == 0)
                    or step == train.steps
                    or stops
                    or step % train.checkpoint_every == 0
                )
                if saves or step % train.log_every == 0:
                    self._log(step, parts)
                if saves:
                    self._save(step)
                if stops:
                    raise Interrupted(
                        f"stopped at step {step} of {train.steps}, which is "
                        "saved; the same command continues there",
                        stop.requested or signal.SIGTERM,
                    )
                if step in evaluates:
                    self._evaluate(step, meter)

    def _evaluations(self, meter):
        """The steps after which to evaluate; the last is the caller's."""
        train = self.config.train
        if meter is None or train.eval_every == 0 or not self.is_chief:
            return range(0)
        return range(train.eval_every, train.steps, train.eval_every)

    def _save(self, step):
        if not self.is_chief:
            self.checkpoints.save(step, self.state)
            return
        with self.checkpoints.writing(step):
            # Logs first: what a checkpoint follows is not written again.
            self.monitor.flush()
        self.checkpoints.save(step, self.state)
        with self.checkpoints.writing(step):
            self.monitor.refresh(step)

    def _evaluate(self, step, meter):
        metrics = self.monitor.measure(step, meter)
        with self.checkpoints.writing(step):
            self.monitor.show(step, metrics)
        self.checkpoints.record(
            {name: metrics[name] for name in ("miou", "mbf")}
        )

    def _log(self, step, parts):
        # Checked before every save: a broken state would be the newest one.
        if not self.train_step.guard.sound:
            raise self._broken()
        if self.is_chief:
            values = {name: float(value) for name, value in parts.items()}
            values["learning_rate"] = float(
                self.train_step.optimizer.learning_rate.numpy()
            )
            with self.checkpoints.writing(step):
                self.monitor.log(step, values)

    def _broken(self):
        """The error for a step that was not finite, on all workers alike."""
        step, newest = self.step + 1, self.checkpoints.newest
        if self.strategy.num_replicas_in_sync == 1:
            return broken_step(
                step,
                self.config,
                self.dataset,
                self.model,
                self.loss,
                self.train_step.dropout,
                newest and newest.path,
            )
        # Only the chief knows of checkpoints.
        kept = (
            f"newest checkpoint, which is sound: {newest.path}; "
            if newest
            else ""
        )
        train = self.config.train
        names = step_images(
            self.dataset,
            batch_size=train.batch_size,
            seed=train.seed,
            step=step,
        )
        return UserError(
            "training stopped: loss or gradient is not finite at step "
            f"{step} of {train.steps}, which was not applied; its images: "
            f"{', '.join(names)}; "
            f"{kept}--strategy=one continues and names the first layer"
        )

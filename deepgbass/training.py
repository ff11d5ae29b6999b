"""The training loop: one experiment, from its configuration to a checkpoint.

A run may be stopped at any moment, by Ctrl-C, SIGTERM or SIGKILL; the same
call continues it at the newest checkpoint.
"""

import math
import pathlib
import signal
import threading

import tensorflow as tf

from deepgbass import experiment, initialization
from deepgbass.data.pipeline import training_batches
from deepgbass.errors import UserError
from deepgbass.history import History
from deepgbass.keras_api import keras
from deepgbass.optimization import (
    decayed_kernels,
    make_optimizer,
    weight_penalty,
)
from deepgbass.progress import TrainingProgress, console


class Interrupted(Exception):
    """The process was asked to end; what was done is saved.

    Attributes:
        status: exit status that says so, 128 + the signal's number.
    """

    def __init__(self, message, signum):
        super().__init__(message)
        self.status = 128 + signum


def train(config, workdir, data_dir=None, on_eval=None):
    """Trains an experiment, or continues it, up to `config.train.steps`.

    Args:
        config: `ExperimentConfig`.
        workdir: folder for configuration, checkpoints and logs.
        data_dir: folder of records with `dataset.json`; not needed for the
            embedded set.
        on_eval: None, or function without arguments that measures the newest
            checkpoint and returns a dict of floats for the history; called
            every `config.train.eval_every` steps.

    Raises:
        UserError: bad data, a work directory of another experiment, initial
            weights that do not fit, or a loss that is not finite.
        Interrupted: SIGTERM or Ctrl-C; the run can be continued.
    """
    workdir = pathlib.Path(workdir)
    experiment.check_workdir(config, workdir)
    if tf.train.latest_checkpoint(experiment.checkpoint_dir(workdir)) is None:
        initialization.check(config)
    # The split for evaluation too: its faults would show hours later.
    dataset, _ = (
        experiment.open_split(config, workdir, data_dir, split)
        for split in (config.data.train_split, config.data.eval_split)
    )
    experiment.claim_workdir(config, dataset.info, workdir)
    loop = _Loop(config, workdir, dataset)
    if loop.step >= config.train.steps:
        console.print(f"Trained already: {workdir} is at step {loop.step}")
        return
    loop.run(on_eval)


class _Loop:
    """State of one run: network, optimiser, checkpoints, logs."""

    def __init__(self, config, workdir, dataset):
        self.config = config
        self.dataset = dataset
        keras.utils.set_random_seed(config.train.seed)
        self.model = experiment.make_model(
            config.model, dataset.info.num_classes, config.data.crop_size
        )
        self.loss = experiment.make_loss(config.loss)
        self.optimizer = make_optimizer(config.train)
        # Slots exist before restoring, so that a mismatch shows at once.
        self.optimizer.build(self.model.trainable_variables)
        self.kernels = decayed_kernels(self.model)
        self.step_variable = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                model=self.model,
                optimizer=self.optimizer,
                step=self.step_variable,
            ),
            experiment.checkpoint_dir(workdir),
            max_to_keep=3,
        )
        self._restore()
        self.history = History(workdir / "history.jsonl", self.step)
        self.writer = tf.summary.create_file_writer(
            str(workdir / "tensorboard")
        )

    @property
    def step(self):
        return int(self.step_variable)

    def _restore(self):
        path = self.manager.latest_checkpoint
        if path is None:
            initialization.initialize(self.model, self.config, self.dataset)
            return
        experiment.restore(self.manager.checkpoint, path)
        console.print(
            f"Resuming at step {self.step} of {self.config.train.steps} "
            f"(checkpoint {path})"
        )

    @tf.function
    def _train_step(self, images, labels):
        seed = tf.stack([self.config.train.seed, self.step_variable])
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            parts = self.loss.components(labels, logits, seed=seed)
            objective = parts["total"] + weight_penalty(
                self.kernels, self.config.train.weight_decay
            )
        variables = self.model.trainable_variables
        gradients = tape.gradient(objective, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self.step_variable.assign_add(1)
        return parts | {"gradient_norm": tf.linalg.global_norm(gradients)}

    def run(self, on_eval):
        train = self.config.train
        batches = training_batches(
            self.dataset,
            self.config.data,
            batch_size=train.batch_size,
            seed=train.seed,
            start_step=self.step,
        )
        first = self.step
        with (
            _StopRequests() as stop,
            TrainingProgress(first, train.steps, train.batch_size) as progress,
        ):
            steps = range(first + 1, train.steps + 1)
            for step, (images, labels) in zip(steps, batches, strict=False):
                parts = self._train_step(images, labels)
                last = step == train.steps
                evaluates = (
                    on_eval is not None
                    and train.eval_every > 0
                    and step % train.eval_every == 0
                    and not last
                )
                saves = (
                    evaluates
                    or last
                    or stop.requested
                    or step % train.checkpoint_every == 0
                )
                if saves or step % train.log_every == 0:
                    self._log(step, parts, progress)
                if saves:
                    self.manager.save(checkpoint_number=step)
                    self.writer.flush()
                if stop.requested:
                    raise Interrupted(
                        f"stopped at step {step} of {train.steps}, which is "
                        "saved; the same command continues there",
                        stop.requested,
                    )
                if evaluates:
                    with progress.paused():
                        self._record(step, "eval", on_eval())

    def _log(self, step, parts, progress):
        parts = {name: float(value) for name, value in parts.items()}
        # Checked before every save: a broken state would be the newest one.
        if not all(math.isfinite(value) for value in parts.values()):
            newest = self.manager.latest_checkpoint or "none yet"
            raise UserError(
                f"loss or gradient is not finite at step {step}: {parts}; "
                f"newest sound checkpoint: {newest}; a lower --set "
                "train.learning_rate usually helps"
            )
        values = {
            **parts,
            "learning_rate": float(self.optimizer.learning_rate),
            "images_per_second": progress.update(step, parts["total"]),
        }
        self._record(step, "train", values)

    def _record(self, step, group, values):
        self.history.write(step, values)
        with self.writer.as_default(step):
            for name, value in values.items():
                if value is not None:
                    tf.summary.scalar(f"{group}/{name}", value)


class _StopRequests:
    """Turns SIGTERM and Ctrl-C into a flag that the loop reads each step."""

    def __init__(self):
        self.requested = 0
        self._previous = {}

    def _handle(self, signum, frame):
        if self.requested:
            raise KeyboardInterrupt  # asked twice: at once, then
        self.requested = signum

    def __enter__(self):
        # Python lets only the main thread handle signals.
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGTERM, signal.SIGINT):
                self._previous[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(self, *_):
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

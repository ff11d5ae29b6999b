"""Fine-tunes a trained network under the rounding of int8.

A few hundred steps with the run's own loss, data and batches. They go to a
folder of their own and continue there if they were cut short; the float
checkpoint is only read.
"""

import dataclasses
import hashlib
import json
import math
import pathlib

from deepgbass.configs import ExperimentConfig
from deepgbass.data.pipeline import training_batches
from deepgbass.errors import UserError
from deepgbass.experiment import make_loss, make_model
from deepgbass.export.qat import activation_ranges, quantized_network
from deepgbass.files import remove_folder, remove_temporaries
from deepgbass.keras_api import keras
from deepgbass.progress import TrainingProgress, console
from deepgbass.training import checkpoint_files, checkpoints
from deepgbass.training.train_step import TrainStep

# Steps that an interruption may cost.
_SAVE_EVERY = 25


@dataclasses.dataclass(frozen=True)
class _Task:
    """All that the weights in the end depend on, but the data themselves.

    Attributes:
        config: that of `fine_tuned`, its loss's idle fields at defaults.
        ranges: layer name -> [low, high].
        weights: SHA-256 of those that it starts from.
    """

    config: ExperimentConfig
    ranges: dict
    weights: str


def fine_tuned(model, images, dataset, config, folder):
    """A network that rounds as int8 does, and was trained to.

    Args:
        model: the trained float network, with input `(1, height, width, 3)`;
            left as it is.
        images: iterable of uint8 `(height, width, 3)` that the ranges are
            taken from.
        dataset: `SegmentationDataset` to train on.
        config: `ExperimentConfig` of the run, but with `train` made by
            `fine_tuning`.
        folder: for checkpoints; made if absent. What other fine-tunings left
            there is replaced.

    Returns:
        Network of `quantized_network`, of the model's size.

    Raises:
        UserError: a network that is not float32, another process in the
            folder, or a loss that is not finite.
    """
    ranges = activation_ranges(model, images)
    # A field that the loss does not use makes no other task.
    config = dataclasses.replace(config, loss=config.loss.effective())
    task = _Task(config, ranges, _digest(model))
    size, classes = config.data.crop_size, model.output_shape[-1]
    trainee = make_model(config.model, classes, size)
    trainee.set_weights(model.get_weights())
    trainee = quantized_network(trainee, ranges, pixels=True)
    folder = pathlib.Path(folder)
    with checkpoints.alone(folder):
        _train(trainee, dataset, task, folder)
    network = quantized_network(model, ranges)
    network.set_weights(trainee.get_weights())
    return network


def fine_tuning(train, steps, learning_rate):
    """The `TrainConfig` of the fine-tuning of a run.

    Batches, clipping and seed are the run's. Layers that it froze or slowed
    down have to get used to rounding too; an average would lag behind.

    Args:
        train: `TrainConfig` of the run.
        steps: optimiser steps.
        learning_rate: of Adam, decayed to 0.

    Raises:
        UserError: one of the two is not above 0.
    """
    for name, value in (("steps", steps), ("learning_rate", learning_rate)):
        if not 0 < value < math.inf:
            raise UserError(f"--qat_{name}={value} is not above 0")
    return dataclasses.replace(
        train,
        optimizer="adam",
        learning_rate=learning_rate,
        steps=steps,
        warmup_steps=steps // 20,
        # A few small steps from weights that were decayed all along.
        weight_decay=0.0,
        # TensorFlow has begun with more threads than that allows.
        deterministic=False,
        precision="float32",
        recompute=False,
        # Moving statistics are held in any case.
        freeze_batch_norm=False,
        ema_decay=None,
        rate_multipliers=(),
        freeze=(),
    )


def _train(network, dataset, task, folder):
    """Trains in place, up to the last step, from where the folder is."""
    train = task.config.train
    keras.utils.set_random_seed(train.seed)
    step = TrainStep(network, make_loss(task.config.loss), train)
    state = step.trackables()
    saved = _newest(folder, task)
    if saved:
        checkpoint_files.restore(saved, state)
        console.print(
            f"Fine-tuning goes on at step {saved.step} of {train.steps} "
            f"({saved.path})"
        )
    first = int(step.step)
    batches = training_batches(
        dataset,
        task.config.data,
        batch_size=train.batch_size,
        seed=train.seed,
        start_step=first,
    )
    numbers = range(first + 1, train.steps + 1)
    with TrainingProgress(first, train.steps, train.batch_size) as progress:
        for number, batch in zip(numbers, batches, strict=False):
            parts = step(*batch)
            progress.advance(number)
            saves = number % _SAVE_EVERY == 0 or number == train.steps
            if not (saves or number % train.log_every == 0):
                continue
            if not step.guard.sound:
                raise UserError(
                    "fine-tuning stopped: loss or gradient is not finite at "
                    f"step {int(step.step) + 1} of {train.steps}; try "
                    f"--qat_learning_rate={train.learning_rate / 10:g}"
                )
            progress.update(number, float(parts["total"]))
            if saves:
                saved = _save(folder, number, state, task, saved)


def _newest(folder, task):
    """The newest sound checkpoint of a task; those of others are removed."""
    remove_temporaries(folder)
    wanted = json.loads(json.dumps(dataclasses.asdict(task)))
    found = None
    for path in sorted(folder.glob("step-*")):
        try:
            saved = checkpoint_files.check(path)
        except UserError:
            saved = None
        if saved and saved.meta["config"] == wanted:
            found = saved
        else:
            remove_folder(path)
    return found


def _save(folder, step, state, task, previous):
    path = folder / checkpoint_files.folder_name(step)
    saved = checkpoint_files.write(path, step, state, task)
    if previous:
        remove_folder(previous.path)
    return saved


def _digest(model):
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()

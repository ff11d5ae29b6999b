"""Why a step is not finite: on which images, and where in it that began.

Where the host logs or saves, should a `Guard` have stopped the updates:

    if not guard.sound:
        raise broken_step(...)
"""

import pathlib

import numpy as np
import tensorflow as tf

from deepgbass.data.pipeline import position_to_index, training_batches
from deepgbass.data.record import parse_features
from deepgbass.errors import UserError
from deepgbass.keras_api import keras


def step_images(dataset, *, batch_size, seed, step):
    """Names of the images of a step of `training_batches`.

    Args:
        dataset, batch_size, seed: of `training_batches`.
        step: int from 1. Step k is the batch of `start_step` k - 1.

    Returns:
        list of str, in the order of the batch; "image 7" where a record has
        no name.
    """
    names = []
    for counter in range((step - 1) * batch_size, step * batch_size):
        index = position_to_index(
            tf.constant(counter, tf.int64), len(dataset), seed
        )
        name = parse_features(dataset.read(index))["filename"]
        name = name.numpy().decode(errors="replace")
        names.append(name or f"image {int(index)}")
    return names


def broken_step(step, config, dataset, model, loss, dropout, checkpoint):
    """The error for a step that was not finite: a few lines.

    Args:
        step: int from 1, the first that was not applied.
        config: `ExperimentConfig`.
        dataset: `SegmentationDataset` that it trains on.
        model, loss: as they were at that step; see `explain`.
        dropout: `DropoutSeed` of the network.
        checkpoint: path of the newest one, or None.

    Returns:
        `UserError`, to be raised. It names the step, its images, the first
        layer, and the checkpoint.
    """
    train = config.train
    options = {"batch_size": train.batch_size, "seed": train.seed}
    names = step_images(dataset, step=step, **options)
    batches = training_batches(
        dataset, config.data, start_step=step - 1, **options
    )
    images, labels = next(iter(batches))
    cause = None
    share = train.batch_size // train.accumulate
    for row in range(0, train.batch_size, share):
        rows = slice(row, row + share)
        # The noise of step k is that of k - 1 steps done.
        seed = tf.constant([train.seed, step - 1, row], tf.int64)
        with dropout.of(seed):
            cause = cause or explain(
                model, loss, images[rows], labels[rows], seed, names[rows]
            )
    cause = cause or (
        "computed again, every layer, the loss and all gradients are finite: "
        "the step cannot be repeated, or its gradient norm is beyond float32"
    )
    return UserError(
        "training stopped: loss or gradient is not finite at step "
        f"{step} of {train.steps}, which was not applied\n"
        f"  cause: {cause}\n"
        f"  images of the step: {', '.join(names)}\n"
        f"  newest checkpoint, which is sound: {checkpoint or 'none yet'}\n"
        f"  in a new --workdir, a lower --set train.learning_rate (now "
        f"{train.learning_rate:g}) usually helps"
    )


def explain(model, loss, images, labels, seed, names):
    """Finds where a training step ceases to be finite, and says so.

    The step is computed anew, piece by piece: images, weights, the outputs
    of the layers in order, the parts of the loss, the gradients. All in the
    form that training computes, so batch norms use the batch's statistics.

    Args:
        model: Functional network, with the weights before the step. The
            moving statistics of its batch norms change.
        loss: with `components`, as `SBALoss`.
        images: float `(batch, height, width, 3)`.
        labels: int32 `(batch, height, width)`.
        seed: integers `(2,)` or `(3,)`, of the loss's noise at that step.
        names: list of str, the names of the images.

    Returns:
        str, on the first of these that is not finite, or None.
    """
    bad = _not_finite(images)
    if any(bad):
        return f"the input is not finite in {_some(names, bad)}"
    if fault := _broken_weights(model):
        return fault
    if fault := _broken_output(model, images, names):
        return fault
    return _broken_loss(model, loss, images, labels, seed)


def _broken_weights(model):
    for layer in _layers(model):
        for weight in _weights_read(layer):
            values = weight.numpy()
            count = np.count_nonzero(~np.isfinite(values))
            if count:
                return (
                    f"the first layer that is not finite is {layer.name}: "
                    f"{count} of the {values.size} values of its "
                    f"{_short(weight)} are not; an update before this step "
                    "was too large"
                )
    return None


def _weights_read(layer):
    """The weights of a layer that its training step reads."""
    # In training, these normalise by the batch.
    if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
        return layer.trainable_weights
    return layer.weights


def _broken_output(model, images, names):
    outputs = [
        (layer, layer.get_output_at(node))
        for layer in _layers(model)
        for node in range(len(layer.inbound_nodes))
    ]
    walk = keras.Model(model.input, [output for _, output in outputs])

    # Compiled, an output is freed as soon as it was looked at.
    @tf.function
    def look(images):
        finite, largest = [], []
        for output in walk(images, training=True):
            output = tf.cast(output, tf.float32)
            axes = list(range(1, output.shape.rank))
            finite.append(tf.reduce_all(tf.math.is_finite(output), axes))
            largest.append(tf.reduce_max(tf.abs(output)))
        return finite, largest

    finite, largest = look(images)
    for number, (layer, _) in enumerate(outputs):
        bad = ~finite[number].numpy()
        if any(bad):
            before = max(float(x) for x in largest[:number])
            return (
                f"the first layer that is not finite is {layer.name}: its "
                f"output in {_some(names, bad)}; outputs before it reach "
                f"{before:.2g}{_magnitude(layer)}"
            )
    return None


def _broken_loss(model, loss, images, labels, seed):
    weights = model.trainable_variables

    @tf.function
    def look():
        with tf.GradientTape(persistent=True) as tape:
            logits = model(images, training=True)
            parts = loss.components(labels, logits, seed=seed)
        slopes = {
            name: tape.gradient(part, logits, unconnected_gradients="zero")
            for name, part in parts.items()
        }
        gradients = tape.gradient(
            parts["total"], weights, unconnected_gradients="zero"
        )
        return parts, slopes, gradients

    parts, slopes, gradients = look()
    bad = [name for name in parts if not np.isfinite(parts[name])]
    if bad:
        return (
            "all layers are finite, but the loss is not: "
            f"{', '.join(f'{name} {float(parts[name])}' for name in bad)}"
        )
    bad = [name for name, slope in slopes.items() if any(_not_finite(slope))]
    if bad:
        return (
            "layers and loss are finite, but the gradient of the loss with "
            f"respect to the logits is not: of {', '.join(bad)}"
        )
    # Gradients are computed backwards, so the last one broke first.
    for weight, gradient in zip(weights[::-1], gradients[::-1], strict=True):
        if not np.isfinite(gradient).all():
            return (
                "layers and loss are finite, but gradients are not: the "
                f"first, from the loss backwards, that of {weight.name}"
            )
    return None


def _layers(model):
    return [layer for layer in model.layers if layer.inbound_nodes]


def _not_finite(array):
    """One bool an image: whether it holds NaN or infinity."""
    finite = np.isfinite(np.asarray(array, np.float32))
    return ~finite.reshape(len(finite), -1).all(axis=1)


def _magnitude(layer):
    weights = [np.abs(weight).max() for weight in _weights_read(layer)]
    return f", its weights {max(weights):.2g}" if weights else ""


def _short(weight):
    """A variable's name without its layer and number: "kernel"."""
    return pathlib.PurePath(weight.name).name.partition(":")[0]


def _some(names, bad):
    if all(bad) and len(names) > 1:
        return "all images of the batch"
    chosen = [name for name, is_bad in zip(names, bad, strict=True) if is_bad]
    return ", ".join(chosen)

"""`recalibrate_batch_norm`: true statistics in a network of folded weights.

A published `.tflite` file holds no batch norms: they were folded into its
convolutions. Loaded here, each batch norm adds a bias and pretends mean 0 and
variance 1. Inference is right, but training normalises by the statistics of
the batch, and the network would start as another function.
"""

import numpy as np
import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.keras_api import keras


def recalibrate_batch_norm(model: keras.Model, images) -> int:
    """Sets moving statistics from images and keeps the inference function.

    A batch norm computes gamma (x - mean) / sqrt(variance + epsilon) + beta.
    Mean and variance become those of x over all the images, gamma and beta
    those with which it is the same function of x as before, so one pass over
    the images serves all layers. On batches like them, training then starts
    as the function that inference computes.

    A channel that is constant on the images has variance 0; epsilon keeps
    its gamma above 0 and everything finite, and in training it gives its
    constant. Memory is that of one batch.

    Args:
        model: a Functional network, changed in place.
        images: RGB `(n, height, width, 3)` in 0..255, run one at a time, or
            an iterable of such batches. Ten or more that are like the
            training data will do; random crops and scales are better taken
            with them.

    Returns:
        How many batch norms were set.

    Raises:
        UserError: fewer than two images (an image's pooled feature has no
            variance of its own), of another size, or activations that are
            not finite. The network is then unchanged.
    """
    norms = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not norms:
        raise UserError("model: it has no batch norm to recalibrate")
    statistics = _statistics(model, norms, _batches(images))
    for norm, (mean, variance) in zip(norms, statistics, strict=True):
        if not np.isfinite([mean, variance]).all():
            raise UserError(
                f"images: the input of {norm.name} is not finite on them"
            )
    for norm, (mean, variance) in zip(norms, statistics, strict=True):
        _replace(norm, mean, variance)
    return len(norms)


def _batches(images):
    """Batches of an array, one image each, or of an iterable."""
    if hasattr(images, "ndim"):
        return (images[i : i + 1] for i in range(len(images)))
    return images


def _statistics(model, norms, batches):
    """`(mean, variance)` of each batch norm's input, float64."""
    taps = keras.Model(model.input, [norm.input for norm in norms])

    # Compiled, activations are freed as soon as they were counted.
    @tf.function
    def moments(batch):
        inputs = taps(batch, training=False)
        inputs = inputs if len(norms) > 1 else [inputs]
        return [
            tf.nn.moments(tf.cast(x, tf.float32), [0, 1, 2]) for x in inputs
        ]

    count, merged = 0, [(0.0, 0.0)] * len(norms)
    for batch in batches:
        batch = np.asarray(batch, np.float32)
        if batch.shape[1:] != model.input_shape[1:] or (
            model.input_shape[0] not in (None, len(batch))
        ):
            raise UserError(
                f"images: batches are {batch.shape}, but the network takes"
                f" {model.input_shape}"
            )
        new = [(m.numpy(), v.numpy()) for m, v in moments(batch)]
        merged = [
            _merge(*old, count, *add, len(batch))
            for old, add in zip(merged, new, strict=True)
        ]
        count += len(batch)
    if count < 2:
        raise UserError(f"images: {count} given; use ten or more")
    return merged


def _merge(mean_a, variance_a, n_a, mean_b, variance_b, n_b):
    """Mean and variance of two sets together (Chan et al. 1979).

    Never negative, unlike a difference of the squares' sums.
    """
    weight = n_b / (n_a + n_b)
    shift = np.asarray(mean_b, np.float64) - mean_a
    mean = mean_a + weight * shift
    variance = (
        (1 - weight) * variance_a
        + weight * np.asarray(variance_b, np.float64)
        + weight * (1 - weight) * shift**2
    )
    return mean, variance


def _replace(norm, mean, variance):
    """New statistics, with the gamma and beta that keep the function."""
    gamma, beta, old_mean, old_variance = (
        np.asarray(v, np.float64) for v in norm.get_weights()
    )
    slope = gamma / np.sqrt(old_variance + norm.epsilon)
    gamma = slope * np.sqrt(variance + norm.epsilon)
    beta = beta + slope * (mean - old_mean)
    norm.set_weights([gamma, beta, mean, variance])

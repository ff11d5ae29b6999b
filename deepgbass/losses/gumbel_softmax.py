"""The Gumbel softmax of Fig. 4: a soft arg-max that gradients pass through.

In float32 whatever the network computes in, as the boundaries that are taken
from it (boundary.py).
"""

import numpy as np
import tensorflow as tf

from deepgbass.compiled import compiled
from deepgbass.noise import random_bits

_GUMBEL = -np.log(-np.log((np.arange(2**16) + 0.5) / 2**16))
_GUMBEL = _GUMBEL.astype(np.float32)


def gumbel_noise(shape, seed=None):
    """Standard Gumbel noise, -log(-log U).

    U is one of the 65,536 midpoints that 16 random bits choose between, so
    that the values run from -2.47 to 11.78: drawing noise of full precision
    took twice as long, and a quarter of the loss's time.

    Args:
        shape: `(batch, ...)` of the result.
        seed: as `noise.random_bits` takes it.

    Returns:
        float32 tensor of `shape`.
    """
    return _quantiles(random_bits(shape, seed))


def soft_argmax(logits, temperature, noise=None, valid=None):
    """Gumbel softmax: a differentiable surrogate of the arg-max [10].

    Args:
        logits: float32 `(batch, height, width, num_classes)`.
        temperature: above 0; the lower, the nearer to one-hot.
        noise: None, or Gumbel noise of the logits' shape.
        valid: None, or float32 `(batch, height, width)`: 0 makes a pixel 0 in
            all classes.

    Returns:
        float32 of the logits' shape, summing to 1 over the classes.
    """
    noise = tf.zeros([]) if noise is None else noise
    valid = tf.ones([1, 1, 1]) if valid is None else valid

    @tf.custom_gradient
    def call(logits):
        soft = _soften(logits, noise, valid, temperature)

        def gradient(upstream):
            return _soften_adjoint(soft, upstream, temperature)

        return soft, gradient

    return call(logits)


@compiled
def _quantiles(ranks):
    return tf.gather(_GUMBEL, tf.cast(ranks, tf.int32))


@compiled
def _soften(logits, noise, valid, temperature):
    return valid[..., None] * tf.nn.softmax((logits + noise) / temperature)


@compiled
def _soften_adjoint(soft, upstream, temperature):
    mean = tf.reduce_sum(soft * upstream, axis=-1, keepdims=True)
    return soft * (upstream - mean) / temperature

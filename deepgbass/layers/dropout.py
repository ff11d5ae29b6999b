"""Dropout whose mask depends on a seed and an image's place alone.

Keras's own draws anew at every call, so that a step could neither be repeated
after a restart nor computed in parts.
"""

import contextlib
import functools
import threading

import tensorflow as tf

from deepgbass.keras_api import keras
from deepgbass.noise import random_bits

_RANGE = 2**16


class DropoutSeed:
    """Takes over the random numbers of a network's dropout layers.

    The layers stay Keras's own, as export and quantisation need them. Where
    no seed is given they draw anew at every call, as before.

    Args:
        model: Functional network, whose `Dropout` layers are changed.
    """

    def __init__(self, model):
        # The replicas of a MirroredStrategy are threads.
        self._thread = threading.local()
        layers = [
            layer
            for layer in model.layers
            if isinstance(layer, keras.layers.Dropout)
        ]
        for number, layer in enumerate(layers):
            layer._random_generator.dropout = functools.partial(
                self._dropout, number
            )

    @contextlib.contextmanager
    def of(self, seed):
        """Uses a seed, as `noise.random_bits` takes it, in this thread."""
        self._thread.seed = seed
        try:
            yield
        finally:
            self._thread.seed = None

    def _dropout(self, number, inputs, rate, noise_shape=None):
        seed = getattr(self._thread, "seed", None)
        if seed is not None:
            seed = tf.cast(seed, tf.int64)
            # The loss draws from the seed as it is.
            key = tf.random.experimental.stateless_fold_in(
                seed[:2], tf.constant(number, tf.int64)
            )
            seed = tf.concat([key, seed[2:]], axis=0)
        shape = tf.shape(inputs) if noise_shape is None else noise_shape
        dropped = round(rate * _RANGE)
        bits = tf.cast(random_bits(shape, seed), tf.int32)
        scale = _RANGE / (_RANGE - dropped)
        return tf.where(bits >= dropped, inputs * scale, 0)

"""Mixed precision: activations in 16 bits, weights and losses in 32."""

import contextlib

from deepgbass.keras_api import keras


@contextlib.contextmanager
def network_precision(name):
    """Networks built within compute in a precision; nothing else changes.

    Args:
        name: "float32", "mixed_float16" or "mixed_bfloat16", a policy of
            Keras. Logits, and the statistics of guided blocks and batch
            norms, are float32 in all.
    """
    previous = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(previous)

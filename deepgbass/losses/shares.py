"""A term's value, of a whole batch or of a part that knows its counts."""

import tensorflow as tf


def reduced(counts, reduce):
    """What a part of a batch divides by.

    Args:
        counts: float32 `(n,)` of this part.
        reduce: None, or function from them to those of the whole batch.

    Returns:
        float32 `(n,)`, a constant to the gradient if reduced.
    """
    return counts if reduce is None else tf.stop_gradient(reduce(counts))


def mean(values, count):
    """The sum of `values` by their count; 0 where nothing counts."""
    return tf.reduce_sum(values) / tf.maximum(count, 1.0)

"""Runs that can be repeated bit by bit, at the price of speed."""

import tensorflow as tf

from deepgbass.errors import UserError


def make_deterministic():
    """One thread within operations and one among them; no racing kernels.

    The order in which numbers are added is then the same in every run.
    TensorFlow takes the number of threads only before its first operation.

    Raises:
        UserError: it has run one already, with more threads.
    """
    threading = tf.config.threading
    try:
        threading.set_intra_op_parallelism_threads(1)
        threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        raise UserError(
            "train.deterministic needs one thread, and TensorFlow has begun "
            "with more; first call "
            "deepgbass.training.determinism.make_deterministic()"
        ) from None
    tf.config.experimental.enable_op_determinism()

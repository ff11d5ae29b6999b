"""Holds back all updates from the first step on that is not finite.

That costs a step nothing measurable: the step itself decides whether it is
applied, so that the weights stay those with which it broke, and the host need
not ask before it logs or saves. `diagnosis` then looks for the cause.

    guard = Guard()                            # beside the optimiser

    finite = tf.math.is_finite(loss + tf.linalg.global_norm(gradients))
    guard.apply(finite, lambda: optimizer.apply_gradients(...))
"""

import tensorflow as tf


class Guard:
    """Holds back updates once a step was not finite.

    Moving statistics of batch norms go on: they belong to the forward pass.

    Attributes:
        sound: whether no step was broken.
    """

    def __init__(self):
        self._sound = tf.Variable(
            True,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    @property
    def sound(self):
        return bool(self._sound.numpy())

    def apply(self, finite, update):
        """Updates if this step and all before it were finite.

        The test is a `tf.cond`: under a strategy, call it where an optimiser
        may run within one (across replicas), with a flag of all replicas.

        Args:
            finite: bool scalar. With float16 and loss scaling that of the
                loss alone: gradients that overflow are part of the method.
            update: function without arguments that changes what a step
                changes, the counter of steps included.
        """
        sound = tf.logical_and(self._sound.read_value(), finite)
        self._sound.assign(sound)

        def updated():
            update()
            return tf.constant(True)

        tf.cond(sound, updated, lambda: tf.constant(False))

"""Moving average of a network's weights (EMA), to evaluate and export."""

import tensorflow as tf


class WeightAverage(tf.Module):
    """Exponential moving average of all weights of a network.

    The moving statistics of batch norm are averaged as well, since they have
    to belong to the averaged weights and not to the newest; they are smooth,
    and lag a little more. Early the decay is (1 + n) / (10 + n) at update n,
    as in TensorFlow's average: the initial weights are soon forgotten.

    Goes into a `tf.train.Checkpoint` as it is.

    Args:
        model: network; its present weights are the first average. Make the
            average in the scope of the network's strategy.
        decay: between 0 and 1, such as 0.9999: the average spans about
            1 / (1 - decay) steps.
    """

    def __init__(self, model, decay):
        super().__init__(name="weight_average")
        self._decay = decay
        # Not tracked: the checkpoint holds the network itself.
        self._weights = lambda: model.weights
        # A copy on each replica, equal on all, is updated without talk.
        self.shadows = [
            tf.Variable(
                weight,
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
            for weight in self._weights()
        ]

    def update(self, step):
        """Moves the average towards the weights, on every replica.

        Args:
            step: number of this update, from 1.
        """
        step = tf.cast(step, tf.float32)
        decay = tf.minimum(self._decay, (1 + step) / (10 + step))
        for shadow, weight in self._pairs():
            shadow.assign_sub((1 - decay) * (shadow - weight))

    def apply(self):
        """Gives the network the averaged weights, for good."""
        for shadow, weight in self._pairs():
            weight.assign(shadow.read_value())

    def _pairs(self):
        return zip(self.shadows, self._weights(), strict=True)

"""How the batch of a step is divided: among replicas, and in micro-batches.

Replica r of n has the r-th n-th of the images, and each micro-batch that many
again of its replica's, in order. Functions that sum bring together what the
parts have found.
"""

import tensorflow as tf

from deepgbass.errors import UserError


class MicroBatches:
    """The parts of a global batch that are computed by themselves.

    Args:
        strategy: of `tf.distribute`.
        config: `TrainConfig` whose batch divides, see `check_batch`.

    Attributes:
        replicas: number of them.
        accumulate: micro-batches of a replica.
    """

    def __init__(self, strategy, config):
        self._strategy = strategy
        self.replicas = strategy.num_replicas_in_sync
        self.accumulate = config.accumulate
        self._images = config.batch_size // self.replicas // self.accumulate

    def take(self, images, labels, i):
        """Micro-batch i of what a replica has.

        Args:
            images: `(batch, height, width, 3)` of a replica.
            labels: `(batch, height, width)` of a replica.
            i: int or int scalar from 0.

        Returns:
            (images, labels).
        """
        begin, count = i * self._images, self._images
        return tuple(
            tf.slice(
                x,
                [begin, *[0] * (x.shape.rank - 1)],
                [count, *[-1] * (x.shape.rank - 1)],
            )
            for x in (images, labels)
        )

    def first_image(self, i):
        """Place in the global batch of micro-batch i's first image, int64.

        To be called within a replica.
        """
        context = tf.distribute.get_replica_context()
        replica = tf.cast(context.replica_id_in_sync_group, tf.int64)
        number = replica * self.accumulate + tf.cast(i, tf.int64)
        return number * self._images

    def for_each(self, function):
        """Stacked results, float32, of one micro-batch after the other.

        Args:
            function: of i; to be called outside of the replicas.
        """
        # Outside of the replicas, since they cannot meet within a loop.
        return tf.map_fn(
            function,
            tf.range(self.accumulate),
            fn_output_signature=tf.float32,
            parallel_iterations=1,
        )

    def all_reduce(self, values):
        """Sums tensors over the replicas, within one."""
        if self.replicas == 1:
            return values
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, values)

    def total(self, values):
        """The sum over the replicas of what `strategy.run` returned."""
        return self._strategy.reduce(
            tf.distribute.ReduceOp.SUM, values, axis=None
        )


def sums_of_a_replica(shapes):
    """Variables of zeros, in which each replica adds up what is its own."""
    return [
        tf.Variable(
            tf.zeros(shape),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )
        for shape in shapes
    ]


def check_batch(loss, config, replicas):
    """Makes sure that a batch can be computed in the parts asked for.

    Raises:
        UserError: it does not divide, or the loss cannot be divided.
    """
    parts = replicas * config.accumulate
    if config.batch_size % parts:
        raise UserError(
            f"train.batch_size is {config.batch_size}; it must be a multiple "
            f"of {parts}: {replicas} devices, each with train.accumulate = "
            f"{config.accumulate} micro-batches"
        )
    if parts > 1:
        loss.require_divisible()

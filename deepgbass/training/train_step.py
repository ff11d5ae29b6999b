"""One optimiser step, compiled: on one device or many, at once or in parts.

The batch is global. A loss is a ratio of sums over the whole batch, on all
replicas and in all micro-batches, so that losses and gradients are those of
one device with the whole batch. What a network draws at random depends on the
seed, the step and an image's place in the batch alone.
"""

import functools

import tensorflow as tf

from deepgbass.layers.dropout import DropoutSeed
from deepgbass.training.averaging import WeightAverage
from deepgbass.training.batch_norm import (
    MovingStatistics,
    averaging_over,
    freeze_batch_norm,
    synchronize_batch_norm,
)
from deepgbass.training.guard import Guard
from deepgbass.training.micro_batches import (
    MicroBatches,
    check_batch,
    sums_of_a_replica,
)
from deepgbass.training.optimization import (
    decayed_kernels,
    make_optimizer,
    weight_penalty,
)
from deepgbass.training.parts import freeze, rate_factors
from deepgbass.training.recompute import RecomputedNetwork


class TrainStep:
    """Trains a network by one step a call.

    With `config.accumulate` above 1 a replica takes its images in so many
    micro-batches, one after the other, and memory is that of one. Losses that
    divide by what depends on the prediction (SBL, SBL-WCE) then need a pass
    without gradient first, a third more time. Batch norm sees a micro-batch:
    over all replicas, but not over the others. So gradients equal those of
    the whole batch where batch norm is frozen, and else those of a network
    with smaller batches for its statistics. The moving ones decay per step as
    ever.

    A step that float16 skips counts as a step, but the optimiser's schedule
    does not move: after a run with a few of them the rate ends that little
    above zero.

    Several replicas synchronise batch norm, see `synchronize_batch_norm`.

    Args:
        model: network of `build_model`, made in the strategy's scope, with
            its initial weights; changed: frozen, synchronised, seeded.
        loss: of `deepgbass.losses`.
        config: `TrainConfig`.
        strategy: of `tf.distribute`; None for the current one. Images are
            in the order of the replicas.

    Attributes:
        optimizer: Keras optimiser with its slots.
        step: int64 variable, the number of steps done.
        average: `WeightAverage`, or None.
        dropout: `DropoutSeed` of the network.
        guard: `Guard`. From the first step on whose loss or gradient is not
            finite, nothing changes any more: `step` stays what it was.

    Raises:
        UserError: the batch does not divide, the loss cannot be divided, a
            part is unknown or nothing is left to train.
    """

    def __init__(self, model, loss, config, strategy=None):
        self._strategy = strategy or tf.distribute.get_strategy()
        replicas = self._strategy.num_replicas_in_sync
        check_batch(loss, config, replicas)
        self._model, self._loss, self._config = model, loss, config
        self._batch = MicroBatches(self._strategy, config)
        factors = rate_factors(model, config.multipliers())
        freeze(model, config.freeze)
        if config.freeze_batch_norm:
            freeze_batch_norm(model)
        elif replicas > 1:
            synchronize_batch_norm(model)
        self.dropout = DropoutSeed(model)
        self._network = (
            RecomputedNetwork(model)
            if config.recompute
            else functools.partial(model, training=True)
        )
        self._statistics = MovingStatistics(model)
        self._kernels = decayed_kernels(model)
        self._scales_loss = config.precision == "mixed_float16"
        with self._strategy.scope():
            self.optimizer = make_optimizer(config, factors)
            # Slots exist before restoring, so that a mismatch shows at once.
            self.optimizer.build(model.trainable_variables)
            self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
            self.guard = Guard()
            self.average = None
            if config.ema_decay is not None:
                self.average = WeightAverage(model, config.ema_decay)
            if config.accumulate > 1:
                shapes = [v.shape for v in model.trainable_variables]
                self._sums = sums_of_a_replica([*shapes, len(loss.parts)])
        self._compiled = tf.function(self._run, autograph=False)

    def trackables(self):
        """What a `tf.train.Checkpoint` holds, by name."""
        found = {
            "model": self._model,
            "optimizer": self.optimizer,
            "step": self.step,
        }
        return found | ({"average": self.average} if self.average else {})

    def variables(self):
        """All that changes from step to step: a list of variables."""
        found = [*self._model.variables, *self.optimizer.variables, self.step]
        if self.average:
            found += self.average.shadows
        if self._scales_loss:
            # Keras saves these, but does not count them as the optimiser's.
            scale = self.optimizer._loss_scale
            found += [scale.current_loss_scale, scale.counter]
        return found

    def __call__(self, images, labels):
        """Trains by one step.

        Args:
            images: float32 RGB `(batch, height, width, 3)` in 0..255.
            labels: int32 `(batch, height, width)`. With several replicas both
                are distributed, the same number on each.

        Returns:
            dict of float32 scalars over the whole batch: the loss's
            components and `gradient_norm`, before clipping. With
            "mixed_float16" also `loss_scale` and `finite`: 0 where gradients
            overflowed, so that the step was skipped and the scale reduced.
        """
        return self._compiled(images, labels)

    def _run(self, images, labels):
        run = self._strategy.run
        if self._batch.accumulate == 1:
            parts, gradients = run(self._at_once, (images, labels))
        else:
            counts = self._batch_counts(images, labels)
            with averaging_over(self._model, self._batch.accumulate):
                self._batch.for_each(
                    lambda i: self._add_all(images, labels, i, counts)
                )
            parts, gradients = run(self._take_sums)
        parts = {
            name: self._strategy.experimental_local_results(value)[0]
            for name, value in parts.items()
        }
        finite = tf.math.is_finite(parts["total"] + parts["gradient_norm"])
        if self._scales_loss:
            # Gradients may overflow, as long as a smaller scale is left.
            finite |= tf.math.is_finite(parts["total"]) & (
                parts["loss_scale"] > 1
            )

        def update():
            run(self._update, (gradients,))
            self.step.assign_add(1)

        self.guard.apply(finite, update)
        return parts

    def _at_once(self, images, labels):
        several = self._batch.replicas > 1
        parts, gradients = self._gradients(
            images, labels, 0, self._batch.all_reduce if several else None
        )
        return self._finish(gradients, tf.stack(list(parts.values())))

    def _add_all(self, images, labels, i, counts):
        self._strategy.run(self._add, (images, labels, i, counts))
        return 0.0

    def _add(self, images, labels, i, counts):
        parts, gradients = self._gradients(
            *self._batch.take(images, labels, i), i, lambda _: counts
        )
        found = [*gradients, tf.stack(list(parts.values()))]
        for total, value in zip(self._sums, found, strict=True):
            total.assign_add(value)

    def _take_sums(self):
        *gradients, parts = [total.read_value() for total in self._sums]
        result = self._finish(gradients, parts)
        for total in self._sums:
            total.assign(tf.zeros_like(total))
        return result

    def _gradients(self, images, labels, i, reduce):
        """Share of the loss's components and gradients, of a micro-batch."""
        config, seed = self._config, self._seed(i)
        # The penalty is no sum over images: each share has a part of it.
        decay = config.weight_decay / (
            self._batch.replicas * self._batch.accumulate
        )
        with self.dropout.of(seed):
            with tf.GradientTape() as tape:
                logits = self._network(images)
                parts = self._loss.components(
                    labels, logits, seed=seed, reduce=reduce
                )
                objective = parts["total"] + weight_penalty(
                    self._kernels, decay
                )
                if self._scales_loss:
                    objective = self.optimizer.get_scaled_loss(objective)
            # What is recomputed draws the same dropout, and counts once.
            with self._statistics.held():
                gradients = tape.gradient(
                    objective, self._model.trainable_variables
                )
        return {name: parts[name] for name in self._loss.parts}, gradients

    def _finish(self, gradients, parts):
        """Sums over replicas, and clips: what is to be applied."""
        gradients, parts = self._batch.all_reduce((gradients, parts))
        parts = dict(zip(self._loss.parts, tf.unstack(parts), strict=True))
        if self._scales_loss:
            parts["loss_scale"] = self.optimizer.loss_scale
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        norm = parts["gradient_norm"] = tf.linalg.global_norm(gradients)
        if self._scales_loss:
            parts["finite"] = tf.cast(tf.math.is_finite(norm), tf.float32)
        if self._config.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(
                gradients, self._config.clip_norm, norm
            )
        return parts, gradients

    def _update(self, gradients):
        variables = self._model.trainable_variables
        self.optimizer.apply_gradients(
            zip(gradients, variables, strict=True),
            skip_gradients_aggregation=True,
        )
        if self.average:
            self.average.update(self.step + 1)

    def _batch_counts(self, images, labels):
        """What the loss divides by, over all replicas and micro-batches."""
        run, total = self._strategy.run, self._batch.total
        if not self._loss.counts_need_logits:
            return total(run(self._loss.counts, (labels,)))

        def count(images, labels, i):
            images, labels = self._batch.take(images, labels, i)
            seed = self._seed(i)
            with self.dropout.of(seed), self._statistics.held():
                logits = self._model(images, training=True)
            return self._loss.counts(labels, logits, seed=seed)

        counts = self._batch.for_each(
            lambda i: total(run(count, (images, labels, i)))
        )
        return tf.reduce_sum(counts, axis=0)

    def _seed(self, i):
        """Run, step, and place of a micro-batch's first image."""
        first = self._batch.first_image(i)
        return tf.stack([self._config.seed, self.step, first])

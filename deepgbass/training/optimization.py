"""Optimiser, learning-rate schedule and weight decay (section IV.A)."""

import types

import tensorflow as tf

from deepgbass.keras_api import keras


@keras.utils.register_keras_serializable(package="deepgbass")
class WarmupPolynomial(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to a base rate, then polynomial decay to zero.

    The paper states warm-up steps and the decay's power, not the warm-up's
    shape; it is linear here.

    Args:
        base_rate: learning rate at the end of the warm-up.
        steps: int. All steps, warm-up included.
        warmup_steps: int, below `steps`.
        power: exponent of the decay, 0.9 in the paper.
    """

    def __init__(self, base_rate, steps, warmup_steps=0, power=0.9):
        super().__init__()
        self.base_rate = base_rate
        self.steps = steps
        self.warmup_steps = warmup_steps
        self.power = power

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        # The first step trains too: it gets 1 / warmup_steps, not 0.
        warmup = (step + 1.0) / max(self.warmup_steps, 1)
        progress = (step - self.warmup_steps) / (self.steps - self.warmup_steps)
        decay = (1.0 - tf.clip_by_value(progress, 0.0, 1.0)) ** self.power
        return self.base_rate * tf.where(
            step < self.warmup_steps, warmup, decay
        )

    def get_config(self):
        return {
            "base_rate": self.base_rate,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
            "power": self.power,
        }


def make_optimizer(config, rate_factors=()):
    """The optimiser of a `TrainConfig`.

    Args:
        rate_factors: pairs of a variable and the factor of its learning rate.

    Returns:
        Keras optimiser; with precision "mixed_float16" in a
        `LossScaleOptimizer`, which skips steps that overflow.
    """
    schedule = WarmupPolynomial(
        config.learning_rate, config.steps, config.warmup_steps, config.power
    )
    if config.optimizer == "adam":
        optimizer = _Adam(schedule)
    else:
        optimizer = _SGD(schedule, momentum=config.momentum)
    optimizer.multiply_rates(rate_factors)
    if config.precision == "mixed_float16":
        return keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


class _RateFactors:
    """Mixed into an optimiser: learning rates of their own for variables."""

    _factor = 1.0

    def multiply_rates(self, rate_factors):
        # A proxy, since Keras would put a dict into the checkpoint.
        self._factors = types.MappingProxyType(
            {self._var_key(variable): f for variable, f in rate_factors}
        )

    @property
    def learning_rate(self):
        rate = super().learning_rate
        return rate if self._factor == 1 else rate * self._factor

    def update_step(self, gradient, variable):
        self._factor = self._factors.get(self._var_key(variable), 1.0)
        try:
            super().update_step(gradient, variable)
        finally:
            self._factor = 1.0


class _Adam(_RateFactors, keras.optimizers.Adam):
    pass


class _SGD(_RateFactors, keras.optimizers.SGD):
    pass


def decayed_kernels(model):
    """Kernels under weight decay: of trained full convolutions alone.

    DeepLab regularises neither depthwise kernels, biases nor batch norm.
    """
    return [
        layer.kernel
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
        and not isinstance(layer, keras.layers.DepthwiseConv2D)
        and layer.trainable
    ]


def weight_penalty(kernels, weight_decay):
    """weight_decay * sum of squares / 2: slim's convention, with the half."""
    if not kernels:
        return 0.0
    return weight_decay * tf.add_n(
        [tf.nn.l2_loss(kernel) for kernel in kernels]
    )

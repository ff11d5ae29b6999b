"""Configuration of the optimisation."""

from dataclasses import dataclass

from deepgbass.configs.values import require

OPTIMIZERS = ("adam", "sgd")
INIT_PARTS = ("backbone", "all")


@dataclass(frozen=True)
class TrainConfig:
    """Optimisation (section IV.A).

    Attributes:
        learning_rate: base rate: reached linearly over `warmup_steps`, then
            decayed to 0 at `steps` as (1 - progress) ** `power`.
        steps: all optimiser steps, warm-up included.
        weight_decay: factor of half the squared norm of convolution kernels
            (DeepLab's convention; not depthwise kernels, biases or batch
            norm).
        seed: of initial weights, order, augmentation and noise;
            0..4294967295.
        eval_every: steps between evaluations; 0 evaluates at the end alone.
        init_weights: None for random ones, or the path of published weights
            to start from, as `deepgbass.load_zoo_weights` takes it (the paper
            starts from ImageNet's; docs/zoo.md).
        init_parts: of these weights, "backbone" or "all".
    """

    optimizer: str = "adam"
    learning_rate: float = 0.002
    momentum: float = 0.9
    power: float = 0.9
    weight_decay: float = 4e-6
    batch_size: int = 48
    steps: int = 235_000
    warmup_steps: int = 35_000
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 500
    eval_every: int = 0
    init_weights: str | None = None
    init_parts: str = "backbone"

    def __post_init__(self):
        def check(condition, name, wanted):
            require(condition, "train", name, getattr(self, name), wanted)

        check(self.optimizer in OPTIMIZERS, "optimizer", f"one of {OPTIMIZERS}")
        for name in ("steps", "batch_size", "log_every", "checkpoint_every"):
            check(getattr(self, name) >= 1, name, "1 or above")
        for name in ("eval_every", "weight_decay"):
            check(getattr(self, name) >= 0, name, "0 or above")
        check(0 <= self.seed < 2**32, "seed", "from 0 to 4294967295")
        check(self.learning_rate > 0, "learning_rate", "above 0")
        check(self.power > 0, "power", "above 0")
        check(0 <= self.momentum < 1, "momentum", "from 0 up to 1")
        check(
            0 <= self.warmup_steps < self.steps,
            "warmup_steps",
            f"from 0 up to train.steps = {self.steps}",
        )
        check(self.init_weights != "", "init_weights", "none or a path")
        check(
            self.init_parts in INIT_PARTS, "init_parts", f"one of {INIT_PARTS}"
        )

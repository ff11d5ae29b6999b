"""Configuration of the optimisation."""

import math
from dataclasses import dataclass

from deepgbass.configs.values import require
from deepgbass.errors import UserError

OPTIMIZERS = ("adam", "sgd")
INIT_PARTS = ("backbone", "all")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
PARTS = ("backbone", "aspp", "decoder", "logits")
BEST_BY = ("miou", "mbf", "mean")


@dataclass(frozen=True)
class TrainConfig:
    """Optimisation (section IV.A).

    Parts of the network are "backbone", "aspp", "decoder" and "logits"; the
    beginning of layers' names serves as well.

    Attributes:
        optimizer: "adam" or "sgd".
        learning_rate: base rate: reached linearly over `warmup_steps`, then
            decayed to 0 at `steps` as (1 - progress) ** `power`.
        momentum: of SGD; Adam has its own.
        power: of the decay.
        weight_decay: factor of half the squared norm of convolution kernels
            (DeepLab's convention; not depthwise kernels, biases or batch
            norm).
        batch_size: images a step, over all devices and micro-batches.
        steps: all optimiser steps, warm-up included.
        warmup_steps: of these, the ones of the warm-up.
        seed: of initial weights, order, augmentation and noise;
            0..4294967295.
        log_every: steps between lines of the log.
        checkpoint_every: steps between checkpoints.
        eval_every: steps between evaluations; 0 evaluates at the end alone.
        keep: how many of the last checkpoints stay.
        keep_best: how many of the best stay besides, of those evaluated.
        best_by: what they are ranked by: "miou", "mbf" or their "mean".
        deterministic: whether two runs are the same bit by bit: one thread,
            no racing kernels; slow.
        init_weights: None for random ones, or the path of published weights
            to start from, as `deepgbass.load_zoo_weights` takes it (the paper
            starts from ImageNet's; docs/zoo.md).
        init_parts: of these weights, "backbone" or "all".
        accumulate: micro-batches that a device's share of a batch is computed
            in, one after the other: memory is that of one. Gradients are
            those of the whole batch, but batch norm sees micro-batches.
        precision: "float32", or activations in 16 bits: "mixed_float16" (with
            dynamic loss scaling) or "mixed_bfloat16".
        recompute: compute activations again for the gradient instead of
            keeping them: less memory, about a third more time.
        freeze_batch_norm: use moving statistics in training, and leave them,
            gamma and beta as they are; for trained weights and small batches.
        ema_decay: None, or decay of the weights' moving average, which is
            then what is evaluated and exported; 0.9999 is usual.
        clip_norm: None, or greatest norm of all gradients together.
        rate_multipliers: factors of the learning rate by part, as
            "backbone=0.1"; the last that names a layer decides.
        freeze: parts that are not trained.
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
    keep: int = 3
    keep_best: int = 1
    best_by: str = "mean"
    deterministic: bool = False
    init_weights: str | None = None
    init_parts: str = "backbone"
    accumulate: int = 1
    precision: str = "float32"
    recompute: bool = False
    freeze_batch_norm: bool = False
    ema_decay: float | None = None
    clip_norm: float | None = None
    rate_multipliers: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()

    def __post_init__(self):
        def check(condition, name, wanted):
            require(condition, "train", name, getattr(self, name), wanted)

        check(self.optimizer in OPTIMIZERS, "optimizer", f"one of {OPTIMIZERS}")
        for name in ("steps", "batch_size", "log_every", "checkpoint_every"):
            check(getattr(self, name) >= 1, name, "1 or above")
        for name in ("eval_every", "weight_decay"):
            check(getattr(self, name) >= 0, name, "0 or above")
        check(self.steps < 2**31, "steps", "below 2147483648")
        check(self.keep >= 1, "keep", "1 or above")
        check(self.keep_best >= 0, "keep_best", "0 or above")
        check(self.best_by in BEST_BY, "best_by", f"one of {BEST_BY}")
        check(0 <= self.seed < 2**32, "seed", "from 0 to 4294967295")
        check(self.learning_rate > 0, "learning_rate", "above 0")
        check(self.power > 0, "power", "above 0")
        check(0 <= self.momentum < 1, "momentum", "from 0 up to 1")
        check(
            0 <= self.warmup_steps < self.steps,
            "warmup_steps",
            f"from 0 to below train.steps = {self.steps}",
        )
        check(self.init_weights != "", "init_weights", "none or a path")
        check(
            self.init_parts in INIT_PARTS, "init_parts", f"one of {INIT_PARTS}"
        )
        check(
            self.accumulate >= 1 and self.batch_size % self.accumulate == 0,
            "accumulate",
            f"a divisor of train.batch_size = {self.batch_size}",
        )
        check(self.precision in PRECISIONS, "precision", f"one of {PRECISIONS}")
        check(
            self.ema_decay is None or 0 < self.ema_decay < 1,
            "ema_decay",
            "none, or between 0 and 1",
        )
        check(
            self.clip_norm is None or self.clip_norm > 0,
            "clip_norm",
            "none or above 0",
        )
        check(
            all(self.freeze) and not set(PARTS) <= set(self.freeze),
            "freeze",
            f"some of {PARTS} or beginnings of layers' names, [] for none",
        )
        for name, _ in self.multipliers():
            if name in self.freeze:
                raise UserError(
                    f"train.freeze and train.rate_multipliers both name "
                    f"{name!r}: what is frozen has no learning rate"
                )

    def multipliers(self):
        """`rate_multipliers` as pairs of a name and a factor.

        Raises:
            UserError: a word is not of the form "part=factor".
        """
        pairs = []
        for word in self.rate_multipliers:
            name, _, text = word.partition("=")
            try:
                factor = float(text)
            except ValueError:
                factor = math.nan
            if not (name and 0 < factor < math.inf):
                raise UserError(
                    f"train.rate_multipliers has {word!r}; it must be a part "
                    "and a factor above 0, such as backbone=0.1"
                )
            pairs.append((name, factor))
        return pairs

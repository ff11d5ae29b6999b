"""Configuration of the training loss."""

import dataclasses

from deepgbass.configs.values import require
from deepgbass.errors import UserError

LOSSES = ("cross_entropy", "sbl", "sbal")
# Of the losses, the fields that say nothing about them.
_IDLE = {
    "sbl": ("wce_weight", "ce_weight", "reading", "reduction"),
    "sbal": (),
}
LOSS_CHOICES = {
    "normalization": ("constant", "image_max", "batch_max"),
    "border": ("symmetric", "one_sided", "zeros"),
    "ignore_mode": ("neutral", "dilated", "gscnn_masked", "gscnn"),
    "reading": (
        "max",
        "binary",
        "noisy_or",
        "bounded_sum",
        "masked_max",
        "classwise_max",
    ),
    "reduction": ("weights", "mean", "sum"),
}


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Training loss (eqs. 1-3); its fields are of `deepgbass.SBALoss`, which
    tells where each choice comes from, and which has two more in Python.

    Attributes:
        name: "cross_entropy"; "sbl" = cross-entropy + sbl_weight * SBL (the
            "+SBL" rows of Table I); "sbal" = wce_weight * SBL-WCE
            + sbl_weight * SBL + ce_weight * cross-entropy (the full method).
        wce_weight, sbl_weight: lambda 1 and lambda 2 of the paper, which
            gives no values.
        temperature: of the Gumbel softmax.
        threshold: T of the boundary masks.
        normalizer: divisor of the gradient magnitudes; 0.18 makes a unit
            step 1.
        normalization: "constant", by `normalizer`, or by the largest
            magnitude: "image_max" or "batch_max".
        border: of the derivative: "symmetric", "one_sided" or "zeros".
        ignore_mode: "neutral", "dilated", "gscnn_masked" or "gscnn".
        per_image: ratios of eq. 1 by image instead of by batch.
        reading: of R in eq. 2: "max", "binary", "noisy_or", "bounded_sum",
            "masked_max" or "classwise_max".
        reduction: of eq. 3: "weights", "mean" or "sum".
    """

    name: str = "sbal"
    wce_weight: float = 1.0
    sbl_weight: float = 1.0
    ce_weight: float = 0.0
    noise: bool = True
    temperature: float = 0.5
    threshold: float = 0.1
    normalizer: float = 0.18
    normalization: str = "constant"
    border: str = "symmetric"
    ignore_mode: str = "neutral"
    per_image: bool = False
    reading: str = "max"
    reduction: str = "weights"

    def effective(self):
        """The same loss, the fields that its name leaves idle at defaults."""
        fields = {
            field.name: field.default for field in dataclasses.fields(self)
        }
        idle = _IDLE.get(self.name, fields.keys() - {"name"})
        return dataclasses.replace(self, **{n: fields[n] for n in idle})

    def __post_init__(self):
        def check(condition, name, wanted):
            require(condition, "loss", name, getattr(self, name), wanted)

        check(self.name in LOSSES, "name", f"one of {LOSSES}")
        for name, choices in LOSS_CHOICES.items():
            check(getattr(self, name) in choices, name, f"one of {choices}")
        for name in ("wce_weight", "sbl_weight", "ce_weight", "threshold"):
            check(getattr(self, name) >= 0, name, "0 or above")
        for name in ("temperature", "normalizer"):
            check(getattr(self, name) > 0, name, "above 0")
        if self.name == "sbal" and not (
            self.wce_weight or self.sbl_weight or self.ce_weight
        ):
            raise UserError(
                "loss.wce_weight, loss.sbl_weight and loss.ce_weight are all"
                " 0: there is nothing to train; set one above 0"
            )

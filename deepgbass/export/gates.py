"""What an export may lose: limits that its user sets."""

import dataclasses
import math
import numbers

from deepgbass.errors import UserError
from deepgbass.metrics.labels import METRIC_LABELS

_GATED = ("miou", "mbf")
# What may help, by form.
_ADVICE = {
    "int8": "--quantization=qat_int8, or other --calibration_images, may lose"
    " less",
    "qat_int8": "more --qat_steps may lose less",
}


class FidelityError(UserError):
    """An export lost more than its user allows."""


@dataclasses.dataclass(frozen=True)
class Gates:
    """The drops that an export may have, in percentage points.

    Attributes:
        max_miou_drop: of mIoU; None for any.
        max_mbf_drop: of mBF within 0.75 % of the diagonal; None for any.

    Raises:
        UserError: one is not a number of at least 0.
    """

    max_miou_drop: float | None = None
    max_mbf_drop: float | None = None

    def __post_init__(self):
        for name, value in vars(self).items():
            if value is not None and not (
                isinstance(value, numbers.Real) and 0 <= value < math.inf
            ):
                raise UserError(
                    f"--{name}={value} is not a number of points of at least"
                    " 0; use e.g. 0.5"
                )

    def check(self, report):
        """Lets an export pass or not.

        Args:
            report: its `FidelityReport`.

        Raises:
            FidelityError: a drop is above its gate, or could not be measured.
        """
        faults = []
        for metric in _GATED:
            flag = f"max_{metric}_drop"
            allowed, drop = getattr(self, flag), report.drops[metric]
            if allowed is None or (drop is not None and drop <= allowed):
                continue
            before, after = (
                "-" if share is None else f"{100 * share:.2f}"
                for share in (
                    report.float_metrics[metric],
                    report.metrics[metric],
                )
            )
            lost = "an unknown number of" if drop is None else f"{drop:.3f}"
            faults.append(
                f"{lost} points of {METRIC_LABELS[metric]} ({before} to"
                f" {after}), while --{flag} allows {allowed:g}"
            )
        if faults:
            advice = _ADVICE.get(report.form)
            raise FidelityError(
                f"the {report.form} model loses {' and '.join(faults)}"
                + (f"; {advice}" if advice else "")
            )

"""The terms of SBAL by themselves: SBL (eq. 1) and SBL-WCE (eqs. 2 and 3)."""

from dataclasses import dataclass, field

from deepgbass.losses.sbal import SBALoss


@dataclass(frozen=True, kw_only=True)
class SemanticBoundaryLoss(SBALoss):
    """SBL alone (eq. 1). It cannot name classes: add a cross-entropy.

    Attributes: as `SBALoss`, without the weights of its terms and without
        the reduction, which is eq. 3's.
    """

    wce_weight: float = field(default=0.0, init=False)
    sbl_weight: float = field(default=1.0, init=False)
    ce_weight: float = field(default=0.0, init=False)
    reduction: str = field(default="weights", init=False)


@dataclass(frozen=True, kw_only=True)
class BoundaryWeightedCrossentropy(SBALoss):
    """SBL-WCE alone (eqs. 2 and 3).

    Attributes: as `SBALoss`, without the weights of its terms.
    """

    wce_weight: float = field(default=1.0, init=False)
    sbl_weight: float = field(default=0.0, init=False)
    ce_weight: float = field(default=0.0, init=False)

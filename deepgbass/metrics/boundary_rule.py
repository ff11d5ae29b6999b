"""What counts as a boundary that is met: the conventions of boundary F1."""

import math
from dataclasses import dataclass

from deepgbass.errors import UserError

CHOICES = {
    "boundary": (
        "inner4",
        "inner4_noframe",
        "inner8",
        "inner8_noframe",
        "seg2bmap",
    ),
    "matching": ("nearest", "chessboard", "bipartite"),
    "absent": ("union", "gt", "both", "all1"),
    "average": ("image", "class", "flat", "pooled"),
    "ignored": ("cleared", "kept"),
}


@dataclass(frozen=True)
class Tolerance:
    """The greatest distance at which two boundary pixels meet.

    Attributes:
        value: fraction of the image's diagonal, or pixels.
        unit: "diagonal" (SegNet, Matlab) or "px".
        round_up: to whole pixels (GSCNN, DAVIS).
        strict: distances below it meet (Matlab), not those equal to it. By
            default a fraction of the diagonal is strict unless it is rounded
            up, pixels are not.

    Raises:
        UserError: another unit, or a value out of range.
    """

    value: float
    unit: str = "diagonal"
    round_up: bool = False
    strict: bool | None = None

    def __post_init__(self):
        if self.unit not in ("diagonal", "px"):
            raise UserError(
                f"tolerance unit {self.unit!r} must be 'diagonal' or 'px'"
            )
        if not 0 < self.value < math.inf:
            raise UserError(f"tolerance {self.value!r} must be above 0")
        if self.unit == "diagonal" and self.value >= 1:
            raise UserError(
                f"tolerance {self.value!r} must be a fraction of the diagonal "
                f"below 1; for pixels give Tolerance({self.value!r}, 'px')"
            )
        if self.strict is None:
            strict = self.unit == "diagonal" and not self.round_up
            object.__setattr__(self, "strict", strict)

    def __str__(self):
        rounded = " rounded up" if self.round_up else ""
        if self.unit == "px":
            return f"{self.value:g} px{rounded}"
        return f"{100 * self.value:g} % diag{rounded}"

    @property
    def sign(self):
        """How a distance is compared with it."""
        return "<" if self.strict else "<="

    def pixels(self, shape):
        """The tolerance in pixels for images `(height, width)`."""
        scale = 1 if self.unit == "px" else math.hypot(*shape)
        pixels = self.value * scale
        return float(math.ceil(pixels)) if self.round_up else pixels

    def meets(self, squared_distances, shape):
        """Which squared pixel distances (integers, exact) are within it."""
        pixels = self.pixels(shape)
        squared = pixels * pixels
        if self.strict:
            return squared_distances < squared
        return squared_distances <= squared


DEFAULT = Tolerance(0.0075)
DEFAULTS = (DEFAULT, Tolerance(3, "px"), Tolerance(1, "px"))


@dataclass(frozen=True)
class BoundaryRule:
    """The conventions of boundary F1 that its sources leave open.

    Attributes:
        boundary: which pixels a class's boundary is. "inner4": its own with a
            4-neighbour of another class, outside the image being another
            (Matlab's `bfscore`); "inner8": with an 8-neighbour; with
            "_noframe", outside the image is no other class. "seg2bmap":
            pixels whose right, lower or lower right neighbour is on the other
            side of the class's edge (BSDS, DAVIS, GSCNN); the frame is none.
        matching: what meets a boundary pixel. "nearest": the other map's
            nearest boundary pixel of the class, by Euclidean distance
            (Csurka et al., Matlab, GSCNN); "chessboard": the same by the
            larger of the two offsets, a square window; "bipartite": a partner
            of its own in a largest one-to-one matching (BSDS, SegNet's
            script), for images of up to 512x512 pixels.
        absent: which classes of an image count. "union": in the truth or the
            prediction, with F1 0 if in one alone (SegNet's script); "gt": in
            the truth (SegNet's text); "both": in both (Matlab, which makes
            the rest NaN); "all1": all, with F1 1 if in neither (GSCNN,
            DAVIS). A class is in a map if it has a scored boundary pixel.
        average: "image": over the classes of an image, then over images
            (Csurka et al., SegNet, Matlab); "class": over the images of a
            class, then over classes (GSCNN); "flat": over all counted pairs
            of image and class; "pooled": F1 of counts summed over images,
            then over classes.
        ignored: "cleared": pixels whose label is ignored belong to no class
            in either map (GSCNN, Matlab); "kept": they remain in the
            prediction, where ids that are no class are none.
        exclusion: boundary pixels within so many pixels of an ignored one are
            not scored, but may be met. 0: all are scored.

    Raises:
        UserError: a value is none of these.
    """

    boundary: str = "inner4"
    matching: str = "nearest"
    absent: str = "union"
    average: str = "image"
    ignored: str = "cleared"
    exclusion: float = 0

    def __post_init__(self):
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise UserError(
                    f"{name} is {value!r}; it must be one of "
                    f"{', '.join(choices)}"
                )
        if not 0 <= self.exclusion < math.inf:
            raise UserError(
                f"exclusion is {self.exclusion!r}; it must be 0 or more pixels"
            )
        if self.exclusion and self.matching == "bipartite":
            raise UserError(
                "exclusion needs another matching than 'bipartite', which may "
                "pair scored pixels with others in many ways"
            )

    def __str__(self):
        return self.at()

    def at(self, tolerance=None):
        """In words, as "inner4, nearest < 0.75 % diag, union/image, ..."."""
        bound = f" {tolerance.sign} {tolerance}" if tolerance else ""
        around = (
            f", {self.exclusion:g} px around it excluded"
            if self.exclusion
            else ""
        )
        return (
            f"{self.boundary}, {self.matching}{bound}, "
            f"{self.absent}/{self.average}, ignore {self.ignored}{around}"
        )


DEFAULT_RULE = BoundaryRule()

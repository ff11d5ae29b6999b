"""Configuration of what is read and how it is augmented."""

from dataclasses import dataclass

from deepgbass.configs.values import require


@dataclass(frozen=True)
class DataConfig:
    """What is read and how it is augmented (section IV.A).

    Attributes:
        source: "records" (TFRecords under --data_dir) or "synthetic" (the
            embedded set, written below the work directory when absent).
        crop_size: (height, width) of training crops, in pixels.
        eval_size: (height, width) of the network's input in evaluation and
            export, in pixels. Smaller images are padded, larger ones reduced;
            both are undone, so that metrics are taken at native size.
        resize_longer_side: None, or pixels that the longer side of every
            image gets, in training before the random scale (both in one
            resampling) and in evaluation where `eval_size` has room.
        min_scale, max_scale: range of the random scale factor.
        flip: whether half of the crops are mirrored.
        brightness: most that is added to or taken from all values at random,
            as a share of 255; 0..1. This and the next three change colours
            in training; the paper does not (0).
        contrast, saturation: greatest change of their random factors, which
            are 1 on average; 0..1.
        hue: greatest random shift, in turns of the colour circle; 0..0.5.
        max_class_share: None, or the share of a crop's labelled pixels from
            which one class is too much: such crops are drawn anew, which
            favours rare classes; above 0, at most 1, often 0.75.
    """

    source: str = "records"
    train_split: str = "train"
    eval_split: str = "val"
    crop_size: tuple[int, int] = (512, 1024)
    eval_size: tuple[int, int] = (1024, 2048)
    resize_longer_side: int | None = None
    min_scale: float = 0.5
    max_scale: float = 2.0
    flip: bool = True
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    max_class_share: float | None = None

    def __post_init__(self):
        def check(condition, name, wanted):
            require(condition, "data", name, getattr(self, name), wanted)

        check(
            self.source in ("records", "synthetic"),
            "source",
            "'records' or 'synthetic'",
        )
        for name in ("crop_size", "eval_size"):
            check(
                len(getattr(self, name)) == 2 and min(getattr(self, name)) > 0,
                name,
                "two numbers of pixels, height and width",
            )
        check(self.min_scale > 0, "min_scale", "above 0")
        check(
            self.max_scale >= self.min_scale, "max_scale", "at least min_scale"
        )
        for name in ("brightness", "contrast", "saturation"):
            check(0 <= getattr(self, name) <= 1, name, "from 0 to 1")
        check(0 <= self.hue <= 0.5, "hue", "from 0 to 0.5")
        share = self.max_class_share
        check(
            share is None or 0 < share <= 1,
            "max_class_share",
            "none, or above 0 and at most 1",
        )
        if self.resize_longer_side is not None:
            self._check_longer_side(check)

    def _check_longer_side(self, check):
        side, name = self.resize_longer_side, "resize_longer_side"
        check(side > 0, name, "none or above 0")
        check(
            side <= max(self.eval_size),
            name,
            f"at most the longer side of data.eval_size = {self.eval_size}, "
            "or evaluation could not show images at the size of training",
        )
        check(
            side * self.max_scale >= min(self.crop_size),
            name,
            "larger, or data.crop_size smaller: no image would fill a crop "
            f"of {self.crop_size} at data.max_scale = {self.max_scale}",
        )

"""Experiment configuration: frozen dataclasses, validated when made.

An experiment is an `ExperimentConfig`; its sections are the parts of the
system. `with_overrides` applies `section.field=value` words; JSON is the form
kept in a work directory. The named ones are in `presets.py`.
"""

import dataclasses
import json
import pathlib
from dataclasses import dataclass, field

from deepgbass.config_values import build, parse_word
from deepgbass.errors import UserError

BACKBONES = ("mobilenet_edgetpu", "mobilenet_v2", "xception65")
DECODERS = ("guided", "deeplab_v3plus", None)
LOSSES = ("cross_entropy", "sbl", "sbal")
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
OPTIMIZERS = ("adam", "sgd")


def _require(condition, section, name, value, wanted):
    if not condition:
        raise UserError(f"{section}.{name} is {value!r}; it must be {wanted}")


@dataclass(frozen=True)
class ModelConfig:
    """The network (Figs. 1 and 2): arguments of `deepgbass.build_model`.

    Attributes:
        decoder: "guided" (DGD), "deeplab_v3plus" (DLv3D) or None.
        decoder_channels: the k of DGD-k and DLv3D-k.
        box_radius: radius in stride-4 pixels of the guided block's window.
        batch_norm_momentum: None keeps the reference's 0.997 / 0.9997, which
            need tens of thousands of steps to settle.
        align_corners: True to go on from published TF1 DeepLab weights.
        last_layer, last_layer_channels: of mobilenet_edgetpu; see there.
    """

    backbone: str = "mobilenet_edgetpu"
    depth_multiplier: float = 1.0
    output_stride: int = 16
    aspp_channels: int = 256
    aspp_rates: tuple[int, ...] = ()
    decoder: str | None = "guided"
    decoder_channels: int = 64
    box_radius: int = 1
    batch_norm_momentum: float | None = None
    align_corners: bool = False
    last_layer: int | None = None
    last_layer_channels: int | None = None

    def __post_init__(self):
        def check(condition, name, wanted):
            _require(condition, "model", name, getattr(self, name), wanted)

        check(self.backbone in BACKBONES, "backbone", f"one of {BACKBONES}")
        check(self.decoder in DECODERS, "decoder", f"one of {DECODERS}")
        check(self.output_stride in (8, 16, 32), "output_stride", "8, 16 or 32")
        check(self.depth_multiplier > 0, "depth_multiplier", "above 0")
        check(self.aspp_channels > 0, "aspp_channels", "above 0")
        check(self.decoder_channels > 0, "decoder_channels", "above 0")
        check(self.box_radius >= 1, "box_radius", "at least 1")
        momentum = self.batch_norm_momentum
        check(
            momentum is None or 0 < momentum < 1,
            "batch_norm_momentum",
            "none or between 0 and 1",
        )
        if self.backbone != "mobilenet_edgetpu":
            for name in ("last_layer", "last_layer_channels"):
                check(
                    getattr(self, name) is None,
                    name,
                    f"none for backbone {self.backbone}",
                )
        check(self.last_layer in (None, 23, 24), "last_layer", "23 or 24")
        channels = self.last_layer_channels
        check(
            channels is None or (channels > 0 and self.last_layer == 24),
            "last_layer_channels",
            "none, or above 0 with last_layer 24",
        )

    def build_arguments(self):
        """These fields as keywords of `deepgbass.build_model`."""
        values = dataclasses.asdict(self)
        for name in ("last_layer", "last_layer_channels"):
            if values[name] is None:
                del values[name]
        return values


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
            _require(condition, "data", name, getattr(self, name), wanted)

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


@dataclass(frozen=True)
class LossConfig:
    """Training loss (eqs. 1-3); its fields are those of `deepgbass.SBALoss`,
    which tells where each choice comes from.

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

    def __post_init__(self):
        def check(condition, name, wanted):
            _require(condition, "loss", name, getattr(self, name), wanted)

        check(self.name in LOSSES, "name", f"one of {LOSSES}")
        for name, choices in LOSS_CHOICES.items():
            check(getattr(self, name) in choices, name, f"one of {choices}")
        for name in ("wce_weight", "sbl_weight", "ce_weight", "threshold"):
            check(getattr(self, name) >= 0, name, "0 or above")
        for name in ("temperature", "normalizer"):
            check(getattr(self, name) > 0, name, "above 0")


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
        eval_every: steps between evaluations; 0 evaluates at the end alone.
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

    def __post_init__(self):
        def check(condition, name, wanted):
            _require(condition, "train", name, getattr(self, name), wanted)

        check(self.optimizer in OPTIMIZERS, "optimizer", f"one of {OPTIMIZERS}")
        for name in ("steps", "batch_size", "log_every", "checkpoint_every"):
            check(getattr(self, name) >= 1, name, "1 or above")
        for name in ("eval_every", "weight_decay", "seed"):
            check(getattr(self, name) >= 0, name, "0 or above")
        check(self.learning_rate > 0, "learning_rate", "above 0")
        check(self.power > 0, "power", "above 0")
        check(0 <= self.momentum < 1, "momentum", "from 0 up to 1")
        check(
            0 <= self.warmup_steps < self.steps,
            "warmup_steps",
            f"from 0 up to train.steps = {self.steps}",
        )


@dataclass(frozen=True)
class ExperimentConfig:
    """One experiment: everything that decides its result but the data."""

    name: str = "custom"
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self):
        for name in ("crop_size", "eval_size"):
            size = getattr(self.data, name)
            _require(
                min(size) > self.model.output_stride,
                "data",
                name,
                size,
                f"above model.output_stride = {self.model.output_stride} "
                "pixels each way",
            )

    def to_json(self):
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text, source="configuration"):
        """Reads `to_json`'s form; fields left out keep their defaults.

        Raises:
            UserError: `text` is not JSON, or names an unknown field or a
                value of the wrong type. `source` is named in the message.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"{source} is not JSON: {error}") from None
        return build(cls, values, source)

    def with_overrides(self, assignments):
        """A copy with `section.field=value` words applied, all at once.

        Raises:
            UserError: a word does not parse, names no field, or its value is
                not of the field's type or range.
        """
        values = dataclasses.asdict(self)
        for assignment in assignments:
            path, equals, text = assignment.partition("=")
            section, dot, name = path.partition(".")
            known = [
                f"{outer}.{inner}"
                for outer, fields in values.items()
                if isinstance(fields, dict)
                for inner in fields
            ]
            if not (equals and dot):
                raise UserError(
                    f"--set {assignment!r} is not of the form "
                    "section.field=value"
                )
            if path not in known:
                raise UserError(
                    f"--set {path}: there is no such field; the fields are "
                    + ", ".join(known)
                )
            values[section][name] = parse_word(text)
        return build(type(self), values, "--set")


def load_config(workdir):
    """The configuration that a work directory was made for.

    Raises:
        UserError: `workdir` is not a work directory.
    """
    path = pathlib.Path(workdir) / "config.json"
    if not path.is_file():
        raise UserError(
            f"--workdir={workdir} has no config.json: it is not a work "
            "directory yet; train.py --config=NAME makes one"
        )
    return read_config(path)


def read_config(path):
    """The configuration in a JSON file.

    Raises:
        UserError: the file is not one; the message names it.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file in UTF-8") from None
    return ExperimentConfig.from_json(text, str(path))

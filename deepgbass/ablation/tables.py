"""The tables that can be made: their rows and what each row changes."""

import dataclasses

from deepgbass.errors import UserError
from deepgbass.presets import get_config


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table: trainings that differ in the seed alone.

    Attributes:
        name: in the table.
        key: of its trainings, and the name of their folder.
        words: `section.field=value` words that make it.
        preset: its configuration; None for the table's.
        seeds: of its trainings, by default.
        is_full: whether this is the whole method: it is also fine-tuned for
            int8 if that is asked for.
    """

    name: str
    key: str
    words: tuple[str, ...] = ()
    preset: str | None = None
    seeds: tuple[int, ...] = (0,)
    is_full: bool = False


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """A table of trainings that differ in a few fields.

    Attributes:
        rows: tuple of `Row`; the first is the baseline.
        preset: the configuration of rows that name none.
        words: `section.field=value` words for all rows.
        quantizations: what every trained network is exported as.
    """

    rows: tuple[Row, ...]
    preset: str | None = None
    words: tuple[str, ...] = ()
    quantizations: tuple[str, ...] = ("int8",)

    @property
    def keys(self):
        """Those of the rows, in order."""
        return [row.key for row in self.rows]


_CE, _SBL = "loss.name=cross_entropy", "loss.name=sbl"
_NO_DECODER, _DGD = "model.decoder=none", "model.decoder=guided"
KEEPS_CE = "loss.ce_weight=1"
_DLV3P = "model.decoder=deeplab_v3plus"
_64, _256 = (f"model.decoder_channels={width}" for width in (64, 256))
# The ladder of Tables I and III: name, key, words. The keys are the endings
# of the presets' names. A row has all that makes it, also where its preset
# says the same, so that no other word can change it.
_LADDER = (
    ("MNEdge DeepLab", "baseline", (_NO_DECODER, _CE)),
    ("+DGD", "dgd", (_DGD, _CE)),
    ("+SBL", "sbl", (_NO_DECODER, _SBL)),
    ("+DGD+SBL", "dgd_sbl", (_DGD, _SBL)),
    ("+DGD+SBL+SBL-WCE", "full", (_DGD, "loss.name=sbal")),
)
# A short training's chance is larger than what some rows lie apart:
# docs/where-the-paper-is-silent.md.
_SEEDS = (0, 1, 2)


def _ladder(data):
    """The ladder's rows, of the presets for a data set."""
    return tuple(
        Row(name, key, words, f"{data}_mnedge_{key}", is_full=key == "full")
        for name, key, words in _LADDER
    )


def _camvid_ladder():
    """The same of CamVid's preset, with cross-entropy beside the losses of
    the whole method and decoders of 256 channels, as in the paper's Table I."""
    return tuple(
        Row(
            name,
            key,
            (
                *words,
                *[_256] * (_DGD in words),
                *[KEEPS_CE] * ("loss.name=sbal" in words),
            ),
            seeds=_SEEDS,
            is_full=key == "full",
        )
        for name, key, words in _LADDER
    )


# One detail at a time that the paper leaves open, against what is done now.
_STUDY = (
    "loss.wce_weight=2",
    "loss.sbl_weight=2",
    "loss.ce_weight=0",
    "loss.threshold=0.05",
    "loss.threshold=0.2",
    "loss.normalizer=1",
    "loss.noise=false",
    "loss.temperature=1",
    "loss.reading=binary",
    "loss.reading=masked_max",
    "loss.reading=classwise_max",
    # Of the new layers alone: backbone and logits keep theirs.
    "train.learning_rate=0.0006 train.rate_multipliers=logits=10",
    "train.rate_multipliers=backbone=0.3",
    "train.warmup_steps=120",
    "train.freeze_batch_norm=true",
    "model.batch_norm_momentum=0.99",
    "model.box_radius=2",
    "model.decoder_channels=256",
)


def _variant(change):
    """A row of one change, whose key is its first field and the value."""
    words = change.split()
    key = words[0].partition(".")[2].replace("=", "_")
    return Row(change, key, tuple(words), seeds=(0, 1))


TABLES = {
    "demo": TableSpec(
        (
            Row("DeepLab", "baseline", (_NO_DECODER, _CE)),
            Row("DeepGBASS", "full", (_DGD, "loss.name=sbal"), is_full=True),
        ),
        "demo",
    ),
    "camvid": TableSpec(
        (
            *_camvid_ladder(),
            # Table II's, and the losses on the width for devices.
            *(
                Row(name, key, words, seeds=_SEEDS, is_full=key == "full_64")
                for name, key, words in (
                    ("DLv3D-64", "dlv3d_64", (_DLV3P, _64, _CE)),
                    ("DGD-64", "dgd_64", (_DGD, _64, _CE)),
                    ("DGD-64+SBL", "dgd_sbl_64", (_DGD, _64, _SBL)),
                    (
                        "DGD-64+SBL+SBL-WCE",
                        "full_64",
                        (_DGD, _64, "loss.name=sbal", KEEPS_CE),
                    ),
                )
            ),
        ),
        "camvid",
        quantizations=("int8", "float"),
    ),
    "camvid_study": TableSpec(
        (
            Row("as it is", "default", seeds=(0, 1)),
            *map(_variant, _STUDY),
        ),
        "camvid",
        words=("train.steps=600", "train.warmup_steps=30"),
        quantizations=(),
    ),
    "cityscapes": TableSpec(
        (
            *_ladder("cityscapes"),
            Row("DLv3D-64", "dlv3d_64", (_DLV3P, _64, _CE), "table2_dlv3d_64"),
            Row("DGD-64", "dgd_64", (_DGD, _64, _CE), "table2_dgd_64"),
        ),
        quantizations=("int8", "float"),
    ),
    "ade20k32": TableSpec(_ladder("ade20k32"), quantizations=("int8", "float")),
}


def row_configs(name, words=()):
    """The configurations of a table's trainings, with the seed 0.

    Args:
        name: of `TABLES`.
        words: `section.field=value` words for all rows. What makes a row
            what it is wins.

    Returns:
        dict, key of a row -> `ExperimentConfig`.

    Raises:
        UserError: a word is wrong, or sets the seed.
    """
    if any(word.startswith("train.seed=") for word in words):
        raise UserError("--set train.seed: give seeds as --seeds=0,1,2")
    spec = TABLES[name]
    configs = {}
    for row in spec.rows:
        base = get_config(row.preset or spec.preset)
        configs[row.key] = base.with_overrides(
            [*spec.words, *words, *row.words]
        )
    return configs

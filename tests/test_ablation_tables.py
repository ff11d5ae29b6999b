"""The rows of the tables: what each changes, and that nothing else differs."""

import dataclasses

import pytest

from deepgbass.ablation.tables import TABLES, row_configs
from deepgbass.errors import UserError
from deepgbass.presets import PRESETS

LADDER = [
    "MNEdge DeepLab",
    "+DGD",
    "+SBL",
    "+DGD+SBL",
    "+DGD+SBL+SBL-WCE",
]
# Decoder and loss of each row.
PARTS = {
    "MNEdge DeepLab": (None, "cross_entropy"),
    "+DGD": ("guided", "cross_entropy"),
    "+SBL": (None, "sbl"),
    "+DGD+SBL": ("guided", "sbl"),
    "+DGD+SBL+SBL-WCE": ("guided", "sbal"),
    "DLv3D-64": ("deeplab_v3plus", "cross_entropy"),
    "DGD-64": ("guided", "cross_entropy"),
    "DGD-64+SBL": ("guided", "sbl"),
    "DGD-64+SBL+SBL-WCE": ("guided", "sbal"),
}
WITH_TABLE_2 = [*LADDER, "DLv3D-64", "DGD-64"]
WHOLE = [LADDER[-1], "DGD-64+SBL+SBL-WCE"]


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("camvid", [*WITH_TABLE_2, "DGD-64+SBL", "DGD-64+SBL+SBL-WCE"]),
        ("cityscapes", WITH_TABLE_2),
        ("ade20k32", LADDER),
    ],
)
def test_rows_stand_in_the_paper_s_order_and_are_what_they_say(table, names):
    rows = TABLES[table].rows
    assert [row.name for row in rows] == names
    configs = row_configs(table)
    for row in rows:
        config = configs[row.key]
        assert (config.model.decoder, config.loss.name) == PARTS[row.name]
        if config.model.decoder:
            width = 64 if "-64" in row.name else 256
            assert config.model.decoder_channels == width
    assert [r.name for r in rows if r.is_full] == [
        n for n in WHOLE if n in names
    ]


@pytest.mark.parametrize("table", ["demo", "camvid", "cityscapes", "ade20k32"])
def test_all_rows_have_the_same_schedule_and_data(table):
    first, *others = row_configs(table).values()
    for config in others:
        assert config.train == first.train
        assert config.data == first.data


def test_camvid_s_networks_differ_in_the_decoder_alone():
    configs = row_configs("camvid").values()
    assert {c.model.depth_multiplier for c in configs} == {1.0}
    models = {
        dataclasses.replace(c.model, decoder=None, decoder_channels=64)
        for c in configs
    }
    assert len(models) == 1


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_row_has_trainings_of_its_own(table):
    keys = TABLES[table].keys
    assert len(set(keys)) == len(keys)


def test_the_preset_is_the_whole_method_of_64_channels():
    preset, row = PRESETS["camvid"], row_configs("camvid")["full_64"]
    assert row == preset


def test_every_row_of_camvid_has_three_seeds():
    assert {row.seeds for row in TABLES["camvid"].rows} == {(0, 1, 2)}


@pytest.mark.parametrize("data", ["cityscapes", "ade20k32"])
def test_the_words_of_the_paper_s_tables_change_nothing_of_the_presets(data):
    for row in TABLES[data].rows:
        assert row.words and row_configs(data)[row.key] == PRESETS[row.preset]


@pytest.mark.parametrize("table", ["demo", "camvid", "cityscapes", "ade20k32"])
@pytest.mark.parametrize(
    "words",
    [
        ["loss.name=sbl", "model.decoder=guided"],
        ["loss.name=cross_entropy", "model.decoder=none"],
        ["loss.name=sbal", "model.decoder=deeplab_v3plus"],
    ],
)
def test_words_reach_every_row_but_not_what_makes_it(table, words):
    words = [*words, "train.steps=100", "train.warmup_steps=5"]
    plain, changed = row_configs(table), row_configs(table, words)
    for key, config in changed.items():
        assert (config.train.steps, config.train.warmup_steps) == (100, 5)
        assert config.model == plain[key].model
        assert config.loss == plain[key].loss


@pytest.mark.parametrize("table", ["camvid", "cityscapes"])
def test_no_word_changes_the_width_in_a_row_s_name(table):
    configs = row_configs(table, ["model.decoder_channels=32"])
    for row in TABLES[table].rows:
        if "-64" in row.name:
            assert configs[row.key].model.decoder_channels == 64


def test_no_word_narrows_camvid_s_ladder():
    configs = row_configs("camvid", ["model.decoder_channels=32"])
    for key in ("dgd", "dgd_sbl", "full"):
        assert configs[key].model.decoder_channels == 256


def test_the_seed_is_not_set_by_words():
    with pytest.raises(UserError, match="--seeds"):
        row_configs("camvid", ["train.seed=3"])


def test_the_study_changes_one_thing_at_a_time():
    table = TABLES["camvid_study"]
    (_, first), *others = row_configs("camvid_study").items()
    assert first.train.steps == 600 and first.loss.name == "sbal"
    changed = set()
    for key, config in others:
        fields = [
            f"{section}.{name}"
            for section in ("model", "data", "loss", "train")
            for name, value in vars(getattr(config, section)).items()
            if value != getattr(getattr(first, section), name)
        ]
        if key == "learning_rate_0.0006":
            # Of ASPP and decoder alone: the others' rates are as they were.
            rates = [
                {
                    part: train.learning_rate * factor
                    for part, factor in train.multipliers()
                }
                for train in (first.train, config.train)
            ]
            backbone = rates[0].pop("backbone")
            assert backbone == pytest.approx(0.0006)
            assert rates[1] == pytest.approx(rates[0])
            assert "train.rate_multipliers" in fields
            fields.remove("train.rate_multipliers")
        assert len(fields) == 1, (key, fields)
        changed |= set(fields)
    assert {"wce_weight", "sbl_weight", "threshold", "normalizer", "noise"} <= {
        field.removeprefix("loss.") for field in changed
    }
    assert all(row.seeds == (0, 1) for row in table.rows)

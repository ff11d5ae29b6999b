"""Configurations: validation, overrides, JSON."""

import dataclasses
import json

import pytest

from deepgbass.configs import (
    ExperimentConfig,
    differences,
    load_config,
    summary,
)
from deepgbass.errors import UserError
from deepgbass.presets import PRESETS, get_config


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_json_round_trip(name):
    config = get_config(name)
    assert config.name == name
    assert ExperimentConfig.from_json(config.to_json()) == config


def test_a_json_file_is_a_configuration(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"train": {"steps": 7, "warmup_steps": 2}}')
    config = get_config(str(path))
    assert config.train.steps == 7
    assert config.model == ExperimentConfig().model


def test_overrides_take_the_type_of_the_field():
    config = get_config("camvid").with_overrides(
        [
            "loss.name=cross_entropy",
            "train.learning_rate=1",
            "data.crop_size=120,160",
            "model.aspp_rates=6",
            "model.batch_norm_momentum=none",
            "loss.noise=False",
        ]
    )
    assert config.loss.name == "cross_entropy"
    assert type(config.train.learning_rate) is float
    assert config.data.crop_size == (120, 160)
    assert config.model.aspp_rates == (6,)
    assert config.model.batch_norm_momentum is None
    assert config.loss.noise is False


def test_a_string_is_taken_as_it_is():
    words = ["data.train_split=2024", "train.init_weights=a,b.tflite"]
    config = get_config("camvid").with_overrides(words)
    assert config.data.train_split == "2024"
    assert config.train.init_weights == "a,b.tflite"
    config = config.with_overrides(["train.init_weights=none"])
    assert config.train.init_weights is None


def test_a_configuration_of_before_a_field_was_added_can_be_read():
    values = json.loads(get_config("camvid").to_json())
    for name in ("init_weights", "init_parts"):
        del values["train"][name]
    text = json.dumps(values)
    assert ExperimentConfig.from_json(text) == get_config("camvid")


def test_fields_that_nothing_uses_are_no_contradiction():
    config = get_config("cityscapes_mnedge_baseline")
    config = config.with_overrides(["model.box_radius=3", "loss.wce_weight=0"])
    assert config.model.decoder is None


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("cross_entropy", ["loss.threshold=0.3", "loss.noise=false"], []),
        ("sbl", ["loss.ce_weight=1", "loss.wce_weight=2"], []),
        ("sbl", ["loss.reading=binary", "loss.reduction=sum"], []),
        ("sbl", ["loss.sbl_weight=2"], ["loss.sbl_weight"]),
        ("sbal", ["loss.ce_weight=1"], ["loss.ce_weight"]),
    ],
)
def test_what_a_loss_leaves_idle_makes_no_other_experiment(name, words, told):
    one = ExperimentConfig().with_overrides([f"loss.name={name}"])
    found = differences(one, one.with_overrides(words))
    assert [text.split()[0] for text in found] == told


def test_an_idle_field_is_told_as_it_was_written():
    words = ["loss.name=cross_entropy", "loss.threshold=0.3"]
    one = ExperimentConfig().with_overrides(words)
    other = one.with_overrides(["loss.name=sbal", "loss.border=zeros"])
    # Not the threshold: what is asked for is what was written there.
    assert differences(one, other) == [
        "loss.name ('cross_entropy' there, 'sbal' asked for)",
        "loss.border ('symmetric' there, 'zeros' asked for)",
    ]


def test_overrides_are_validated_together():
    # Each alone would leave warm-up beyond the last step.
    config = get_config("camvid").with_overrides(
        ["train.steps=10", "train.warmup_steps=2"]
    )
    assert (config.train.steps, config.train.warmup_steps) == (10, 2)


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("loss.nam=sbal", "loss.nam"),
        ("steps=3", "section.field"),
        ("train.steps", "section.field"),
        ("train.steps=many", "steps"),
        ("train.steps=1.5", "steps"),
        ("train.steps=0", "train.steps"),
        ("train.batch_size=-1", "train.batch_size"),
        ("train.warmup_steps=99999999", "train.warmup_steps"),
        ("train.learning_rate=0", "train.learning_rate"),
        ("model.output_stride=4", "model.output_stride"),
        ("model.backbone=resnet", "model.backbone"),
        ("model.decoder=unet", "model.decoder"),
        ("loss.name=focal", "loss.name"),
        ("loss.temperature=0", "loss.temperature"),
        ("loss.threshold=NaN", "loss.threshold"),
        ("train.warmup_steps=1500", "train.warmup_steps"),
        ("train.warmup_steps=-1", "train.warmup_steps"),
        ("train.steps=-3", "train.steps"),
        ("train.batch_size=0", "train.batch_size"),
        ("train.seed=4294967296", "train.seed"),
        ("train.init_weights=", "train.init_weights"),
        ("train.init_parts=head", "train.init_parts"),
        ("model.aspp_rates=6,0", "model.aspp_rates"),
        # SBL's filters reach 5 pixels; any stride asks for more.
        ("data.crop_size=4,320", "data.crop_size"),
        ("data.crop_size=16,320", "model.output_stride"),
        ("data.crop_size=240", "data.crop_size"),
        ("data.eval_size=8,8", "data.eval_size"),
        ("loss.threshold=Infinity", "threshold"),
        ("loss.reduction=max", "loss.reduction"),
        ("data.max_scale=0.1", "data.max_scale"),
        ("data.flip=1", "flip"),
    ],
)
def test_a_bad_override_is_named_in_one_line(word, named):
    with pytest.raises(UserError) as caught:
        get_config("camvid").with_overrides([word])
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"model": 3}', '{"modle": {}}', '{"name": 1}']
)
def test_bad_json_is_named(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"bad\.json"):
        get_config(str(path))


def test_a_loss_of_nothing_is_refused():
    words = [f"loss.{name}_weight=0" for name in ("wce", "sbl", "ce")]
    with pytest.raises(UserError, match=r"loss\.wce_weight.*nothing to train"):
        get_config("camvid").with_overrides(words)


def test_an_unknown_name_is_told_the_nearest_and_where_all_are():
    with pytest.raises(UserError, match="camvid.*--list_configs"):
        get_config("camvit")
    with pytest.raises(UserError, match="JSON file; train.py --list_configs"):
        get_config("?")


def test_configurations_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_config("demo").train.steps = 1


def test_load_config_names_a_folder_without_one(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        load_config(tmp_path)


def test_the_summary_gives_what_differs_in_the_words_of_set():
    words = ["model.decoder=none", "data.crop_size=64,96", "data.flip=false"]
    config = get_config("cityscapes_mnedge_full").with_overrides(words)
    first, *sections = summary.effective(config).splitlines()
    for word in ("cityscapes_mnedge_full", "MNEdge, SBAL", "48", "adam"):
        assert word in first
    assert "0.002" in first and "235,000 steps" in first
    # Read back, they make the same configuration.
    given = [
        f"{section}.{word}"
        for section, *fields in map(str.split, sections)
        for word in fields
    ]
    assert set(words) < set(given)
    again = ExperimentConfig(name=config.name).with_overrides(given)
    assert again == config


def test_the_summary_leaves_out_what_the_loss_does_not_use():
    words = ["loss.name=sbl", "loss.ce_weight=2", "loss.sbl_weight=3"]
    text = summary.effective(get_config("demo").with_overrides(words))
    assert "sbl_weight=3" in text and "ce_weight" not in text


def test_the_network_is_called_as_in_the_paper():
    model = get_config("cityscapes_xception65_baseline").model
    assert summary.network(model) == "Xception65 + DLv3D-256"
    assert summary.network(get_config("demo").model) == "0.35 MNEdge + DGD-32"
    assert summary.loss(get_config("ade20k32_mnedge_sbl").loss) == "CE + SBL"

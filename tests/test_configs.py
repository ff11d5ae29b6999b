"""Configurations: validation, overrides, JSON."""

import dataclasses

import pytest

from deepgbass.configs import ExperimentConfig, load_config
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


def test_unknown_name_lists_the_presets():
    with pytest.raises(UserError, match="demo"):
        get_config("cityscape")


def test_configurations_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_config("demo").train.steps = 1


def test_load_config_names_a_folder_without_one(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        load_config(tmp_path)

"""Fields of `TrainConfig` that come with a restriction."""

import pytest

from deepgbass.configs import ExperimentConfig
from deepgbass.errors import UserError
from deepgbass.presets import get_config


def test_lists_of_words_are_cut_at_commas():
    config = get_config("camvid").with_overrides(
        [
            "train.rate_multipliers=backbone=0.1,logits=10",
            "train.freeze=aspp,Conv",
            "train.ema_decay=0.999",
            "train.clip_norm=1",
            "train.accumulate=2",
            "train.precision=mixed_bfloat16",
            "train.recompute=true",
        ]
    )
    train = config.train
    assert train.rate_multipliers == ("backbone=0.1", "logits=10")
    assert train.multipliers() == [("backbone", 0.1), ("logits", 10.0)]
    assert train.freeze == ("aspp", "Conv")
    assert (train.ema_decay, train.clip_norm) == (0.999, 1.0)
    assert train.recompute is True
    assert ExperimentConfig.from_json(config.to_json()) == config
    words = ["train.freeze=[]", "train.rate_multipliers=[]"]
    train = config.with_overrides(words).train
    assert train.freeze == train.rate_multipliers == ()


@pytest.mark.parametrize(
    "words, named",
    [
        ("accumulate=0", "train.accumulate is 0"),
        ("accumulate=3", "divisor of train.batch_size = 4"),
        ("precision=float16", "one of .*mixed_float16"),
        ("ema_decay=1", "train.ema_decay is 1.0"),
        ("clip_norm=0", "train.clip_norm is 0.0"),
        ("rate_multipliers=backbone", "'backbone'; it must be a part and"),
        ("rate_multipliers=backbone=0", "'backbone=0'"),
        ("rate_multipliers==2", "'=2'"),
        ("rate_multipliers=aspp=x", "'aspp=x'"),
        ("freeze=backbone,aspp,decoder,logits", "train.freeze"),
        ("freeze=", "train.freeze"),
        ("freeze=aspp rate_multipliers=aspp=2", "both name 'aspp'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words, named):
    words = [f"train.{word}" for word in words.split(" ")]
    with pytest.raises(UserError, match=named) as caught:
        get_config("camvid").with_overrides(words)
    assert "\n" not in str(caught.value)

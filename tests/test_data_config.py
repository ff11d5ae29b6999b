"""Settings of the data that contradict each other cost no time."""

import pytest

from deepgbass.configs import DataConfig
from deepgbass.errors import UserError
from deepgbass.presets import get_config

GOOD = {"crop_size": (512, 512), "eval_size": (512, 512)}


def test_the_paper_s_recipes_are_accepted():
    cityscapes = get_config("cityscapes_mnedge_full").data
    assert cityscapes.crop_size == (512, 1024)
    assert cityscapes.resize_longer_side is None
    assert (cityscapes.min_scale, cityscapes.max_scale) == (0.5, 2.0)
    assert cityscapes.flip
    ade20k = get_config("ade20k32_mnedge_full").data
    assert ade20k == DataConfig(**GOOD, resize_longer_side=512)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"crop_size": (0, 512)}, r"data\.crop_size"),
        ({"crop_size": (512, -1)}, r"data\.crop_size"),
        ({"min_scale": 0.0}, r"data\.min_scale"),
        ({"min_scale": float("nan")}, r"data\.min_scale"),
        ({"max_scale": 0.4}, r"data\.max_scale"),
        ({"resize_longer_side": 0}, r"data\.resize_longer_side"),
        ({"resize_longer_side": -512}, r"data\.resize_longer_side"),
        ({"resize_longer_side": 513}, r"data\.eval_size = \(512, 512\)"),
        ({"resize_longer_side": 255}, r"data\.max_scale = 2\.0"),
        ({"brightness": -0.1}, r"data\.brightness"),
        ({"contrast": 1.5}, r"data\.contrast"),
        ({"saturation": 2.0}, r"data\.saturation"),
        ({"hue": 0.6}, r"data\.hue"),
        ({"hue": float("nan")}, r"data\.hue"),
        ({"max_class_share": 0.0}, r"data\.max_class_share"),
        ({"max_class_share": 1.1}, r"data\.max_class_share"),
    ],
)
def test_bad_settings_are_named_in_one_line(values, named):
    with pytest.raises(UserError, match=named) as caught:
        DataConfig(**GOOD | values)
    assert "\n" not in str(caught.value)


def test_settings_can_be_given_as_words():
    data = (
        get_config("camvid")
        .with_overrides(
            ["data.resize_longer_side=480", "data.hue=0.1"]
            + ["data.max_class_share=0.75"]
        )
        .data
    )
    assert data.resize_longer_side == 480
    assert (data.hue, data.max_class_share) == (0.1, 0.75)

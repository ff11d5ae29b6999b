import functools

import pytest

from deepgbass.backbones.mobilenet_v2 import LOW_LEVEL, mobilenet_v2
from deepgbass.errors import UserError
from deepgbass.keras_api import keras


@functools.cache
def build(**kwargs):
    image = keras.Input((65, 97, 3))
    ends = mobilenet_v2(image, **kwargs)
    return keras.Model(image, list(ends.values())[-1]), ends


def test_every_activation_is_relu6():
    model, _ = build()
    relus = [x for x in model.layers if isinstance(x, keras.layers.ReLU)]
    # The stem, 16 expansions and 17 depthwise convolutions.
    assert len(relus) == 1 + 16 + 17
    assert all(x.max_value == 6 for x in relus)


def test_low_level_feature_is_at_stride_4():
    _, ends = build()
    assert ends[LOW_LEVEL].shape[1:] == (17, 25, 144)


def test_published_half_width_network_can_be_built():
    _, ends = build(depth_multiplier=0.5, width_divisor=4)
    widths = [ends[f"layer_{i}"].shape[-1] for i in range(1, 19)]
    assert widths == [
        16, 8, 12, 12, 16, 16, 16, 32, 32, 32, 32, 48, 48, 48, 80, 80, 80, 160,
    ]  # fmt: skip


def test_bad_output_stride_is_named():
    with pytest.raises(UserError, match="^output_stride: 4"):
        build(output_stride=4)

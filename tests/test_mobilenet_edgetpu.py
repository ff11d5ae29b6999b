import functools
import math

import pytest

from deepgbass.backbones.mobilenet import make_divisible
from deepgbass.backbones.mobilenet_edgetpu import mobilenet_edgetpu
from deepgbass.errors import UserError
from deepgbass.keras_api import keras


@functools.cache
def build(size=(65, 97), **kwargs):
    image = keras.Input((*size, 3))
    ends = mobilenet_edgetpu(image, **kwargs)
    last = f"layer_{kwargs.get('last_layer', 23)}"
    return keras.Model(image, ends[last]), ends


def trainable(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def macs(model):
    """Multiply-accumulates of all convolutions."""
    return sum(
        math.prod(layer.output.shape[1:3]) * math.prod(layer.weights[0].shape)
        for layer in model.layers
        if isinstance(
            layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
        )
    )


def test_size_is_the_published_one():
    whole, ends = build((224, 224), last_layer=24, output_stride=32)
    blocks = keras.Model(whole.input, ends["layer_23"])
    assert trainable(blocks) == 2_562_112
    assert trainable(whole) == 2_810_432
    assert macs(blocks) / 1e6 == pytest.approx(977.3, abs=0.05)
    assert macs(whole) / 1e6 == pytest.approx(989.4, abs=0.05)


@pytest.mark.parametrize(
    ("output_stride", "dilations"),
    [
        (16, [1] * 9 + [2] * 4),
        (8, [1] + [2] * 8 + [4] * 4),
    ],
)
def test_stride_turns_into_dilation(output_stride, dilations):
    model, ends = build(output_stride=output_stride)
    depthwise = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.DepthwiseConv2D)
    ]
    assert [d.dilation_rate[0] for d in depthwise] == dilations
    assert [d.kernel_size[0] for d in depthwise] == [3] * 8 + [5] * 4 + [3]
    size = [math.ceil(n / output_stride) for n in (65, 97)]
    assert list(ends["layer_23"].shape[1:]) == [*size, 192]
    assert ends["layer_6/expansion_output"].shape[1:] == (17, 25, 128)


def test_shortcuts_are_where_the_table_has_them():
    model, _ = build(output_stride=16)
    added = {
        layer.name.removesuffix("_add")
        for layer in model.layers
        if isinstance(layer, keras.layers.Add)
    }
    blocks = {2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20}
    assert added == {f"expanded_conv_{i}" for i in blocks}


def test_activations_are_plain_relu():
    model, _ = build(output_stride=16)
    relus = [x for x in model.layers if isinstance(x, keras.layers.ReLU)]
    assert len(relus) == 1 + 21 + 13
    assert all(x.max_value is None for x in relus)


def norms(model):
    return [x for x in model.layers if x.name.endswith("_bn")]


def test_batch_norm_follows_slim():
    model, _ = build(output_stride=16)
    assert {x.momentum for x in norms(model)} == {0.997}
    assert {x.epsilon for x in norms(model)} == {1e-3}


def test_published_0_75_network_can_be_built():
    model, ends = build(
        depth_multiplier=0.75,
        last_layer=24,
        last_layer_channels=1280,
        batch_norm_momentum=0.9,
    )
    widths = [
        ends[f"layer_{i}"].shape[-1] for i in (1, 2, 3, 7, 11, 19, 23, 24)
    ]
    assert widths == [24, 16, 24, 40, 72, 120, 144, 1280]
    assert {x.momentum for x in norms(model)} == {0.9}
    assert make_divisible(0.75 * 1280) == 960


def test_make_divisible_keeps_nine_tenths():
    assert [make_divisible(v) for v in (1, 11, 12, 36, 19)] == [
        8, 16, 16, 40, 24,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("output_stride", 4),
        ("output_stride", 12),
        ("last_layer", 22),
        ("last_layer_channels", 1280),
        ("batch_norm_momentum", 1.0),
    ],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(UserError, match=f"^{argument}: {value}"):
        build(**{argument: value})

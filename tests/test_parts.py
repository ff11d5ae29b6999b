import pytest
from small_network import small_network

from deepgbass.configs.train import PARTS
from deepgbass.errors import UserError
from deepgbass.models import build_model
from deepgbass.training.parts import freeze, layers_of, rate_factors


@pytest.fixture
def model():
    return small_network()


def test_the_parts_are_those_of_our_networks():
    model = build_model(
        decoder_channels=8,
        num_classes=3,
        input_shape=(48, 64, 3),
        depth_multiplier=0.1,
        aspp_channels=8,
    )
    parts = [layers_of(model, name, "") for name in PARTS]
    names = [layer.name for layers in parts for layer in layers]
    assert len(set(names)) == len(names)
    assert set(names) == {x.name for x in model.layers if x.weights}


def test_what_is_frozen_is_not_trained(model):
    freeze(model, ["backbone", "logits"])
    assert [w.name for w in model.trainable_variables] == [
        "aspp0/kernel:0",
        "aspp0_bn/gamma:0",
        "aspp0_bn/beta:0",
    ]


def test_the_beginning_of_names_serves_as_well(model):
    names = [layer.name for layer in layers_of(model, "expanded", "")]
    assert names == ["expanded_conv", "expanded_conv_bn"]


def test_the_last_that_names_a_layer_decides(model):
    factors = rate_factors(model, [("backbone", 0.1), ("Conv", 0.5)])
    assert {v.name.split(":")[0]: f for v, f in factors} == {
        "Conv/kernel": 0.5,
        "Conv_bn/gamma": 0.5,
        "Conv_bn/beta": 0.5,
        "expanded_conv/kernel": 0.1,
        "expanded_conv_bn/gamma": 0.1,
        "expanded_conv_bn/beta": 0.1,
    }


@pytest.mark.parametrize("name", ["decoder", "head", ""])
def test_an_unknown_part_is_told_which_there_are(model, name):
    wanted = rf"train.freeze: '{name}' is no part .* backbone, aspp, logits"
    with pytest.raises(UserError, match=wanted) as caught:
        freeze(model, [name])
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="train.rate_multipliers"):
        rate_factors(model, [(name, 0.1)])


def test_freezing_all_is_refused(model):
    with pytest.raises(UserError, match="whole network"):
        freeze(model, ["backbone", "aspp", "logits"])

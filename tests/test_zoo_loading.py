import functools
import re

import numpy as np
import pytest
from tf1_reference import write_checkpoint

from deepgbass.errors import UserError
from deepgbass.models import build_model
from deepgbass.zoo.loading import load_zoo_weights

SMALL = {
    "decoder": None,
    "depth_multiplier": 0.25,
    "aspp_channels": 8,
    "num_classes": 3,
    "input_shape": (33, 49, 3),
}
KINDS = {"kernel": "weights", "bias": "biases"}


@functools.cache
def network(last_layer=24):
    """One network for all tests, whatever the one before has loaded."""
    return build_model(last_layer=last_layer, **SMALL)


def slim_name(variable):
    """ "Conv_bn/beta:0" -> "MobilenetEdgeTPU/Conv/BatchNorm/beta"."""
    layer, weight = variable.name.removesuffix(":0").split("/")
    scope = layer.replace("_bn", "/BatchNorm")
    if scope.startswith(("Conv", "expanded")):
        scope = re.sub("_(expand|depthwise|project)\\b", r"/\1", scope)
        scope = f"MobilenetEdgeTPU/{scope}"
    scope = "logits/semantic" if scope == "logits" else scope
    if weight == "depthwise_kernel":
        return f"{scope}/depthwise_weights"
    return f"{scope}/{KINDS.get(weight, weight)}"


@functools.cache
def _slim_values():
    r = np.random.default_rng(0)
    return {
        slim_name(v): r.uniform(0.5, 1, v.shape).astype("float32")
        for v in network().variables
    }


def slim_values():
    return dict(_slim_values())


def load(tmp_path, values, model=None, **options):
    path = write_checkpoint(tmp_path / "model.ckpt", values)
    return load_zoo_weights(model or network(), path, **options)


def fails_unchanged(tmp_path, values, said, model=None, **options):
    model = model or network()
    before = model.get_weights()
    with pytest.raises(UserError, match=said) as error:
        load(tmp_path, values, model, **options)
    assert "\n" not in str(error.value)
    assert "model.ckpt" in str(error.value)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_every_weight_gets_the_value_of_its_name(tmp_path):
    model, values = network(), slim_values()
    report = load(tmp_path, values, model)
    kernel = values["concat_projection/weights"]
    kernel[:, :, 8:] -= kernel[:, :, :8]
    for variable in model.variables:
        np.testing.assert_array_equal(variable, values[slim_name(variable)])
    assert len(report.loaded) == len(model.variables)
    assert report.missing == report.skipped == report.notes == ()


def test_training_state_is_skipped_with_reasons(tmp_path):
    values = slim_values()
    expected = {
        "global_step": "training state",
        "beta1_power": "training state",
        "aspp0/weights/Momentum": "optimiser slot",
        "aspp0/weights/Adam_1": "optimiser slot",
        "aspp0/weights/ExponentialMovingAverage": "shadow",
        "MobilenetEdgeTPU/Conv/weights_quant/min": "fake quantisation",
    }
    report = load(tmp_path, values | dict.fromkeys(expected, np.float32(7)))
    reasons = dict(report.skipped)
    assert reasons.keys() == expected.keys()
    for name, reason in expected.items():
        assert reason in reasons[name]
    assert len(report.loaded) == len(values)


def test_parts_that_the_network_lacks_are_skipped_with_reasons(tmp_path):
    values = slim_values()
    values["MobilenetEdgeTPU/Logits/Conv2d_1c_1x1/biases"] = np.ones(9, "f4")
    model = network(last_layer=23)
    report = load(tmp_path, values, model, parts="backbone")
    skipped = dict(report.skipped)
    assert "classifier" in skipped.pop(
        "MobilenetEdgeTPU/Logits/Conv2d_1c_1x1/biases"
    )
    assert "ends before" in skipped.pop("MobilenetEdgeTPU/Conv_1/weights")
    assert "parts=" in skipped.pop("logits/semantic/weights")
    assert {n.split("/")[0] for n in report.missing} == {
        *("image_pooling", "image_pooling_bn", "aspp0", "aspp0_bn"),
        *("concat_projection", "concat_projection_bn", "logits"),
    }


def test_another_number_of_classes_initialises_the_last_layer(tmp_path, capsys):
    values = slim_values()
    values["logits/semantic/weights"] = np.ones((1, 1, 8, 4), "f4")
    values["logits/semantic/biases"] = np.ones(4, "f4")
    logits = network().get_layer("logits")
    logits.set_weights([np.full(w.shape, 7.0) for w in logits.get_weights()])
    report = load(tmp_path, values)
    assert report.missing == ("logits/kernel", "logits/bias")
    (note,) = report.notes
    assert "4 classes, the network 3" in note
    assert note in capsys.readouterr().out
    kernel, bias = logits.get_weights()
    # Its initialiser: a normal of 0.01, truncated at two deviations.
    assert 0.002 < kernel.std() < 0.02
    assert np.abs(kernel).max() <= 0.02
    assert not bias.any()


def test_a_head_that_the_file_lacks_is_listed(tmp_path):
    values = {
        name: value
        for name, value in slim_values().items()
        if name.startswith("MobilenetEdgeTPU")
    }
    report = load(tmp_path, values)
    assert len(report.missing) == 3 * 5 + 2
    last = str(report).splitlines()[-1]
    assert last.startswith("  missing, not loaded: ")
    assert all(name in last for name in ("image_pooling", "aspp0", "logits"))


def test_anything_unknown_is_an_error(tmp_path):
    values = slim_values() | {"aspp7/weights": np.ones(1, "f4")}
    fails_unchanged(tmp_path, values, 'aspp7/weights .*parts="backbone"')


def test_another_shape_is_an_error_with_both(tmp_path):
    values = slim_values()
    values["MobilenetEdgeTPU/Conv/weights"] = np.ones((3, 3, 3, 16), "f4")
    values["MobilenetEdgeTPU/Conv/BatchNorm/beta"] = np.ones(16, "f4")
    fails_unchanged(
        tmp_path,
        values,
        r"\(3, 3, 3, 16\) in the file but \(3, 3, 3, 8\).*depth_multiplier",
    )


def test_another_input_of_the_last_layer_is_no_class_mismatch(tmp_path):
    values = slim_values()
    values["logits/semantic/weights"] = np.ones((1, 1, 9, 3), "f4")
    fails_unchanged(tmp_path, values, r"\(1, 1, 9, 3\) in the file")


def test_an_incomplete_backbone_is_an_error(tmp_path):
    values = slim_values()
    del values["MobilenetEdgeTPU/Conv_1/weights"]
    fails_unchanged(tmp_path, values, "lacks 1 weights.*Conv_1/kernel")


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("MobilenetV2", 'build it with backbone="mobilenet_v2"'),
        ("MobilenetV3", "none here has it"),
        ("FeatureExtractor", "scopes are FeatureExtractor, aspp0"),
    ],
)
def test_another_backbone_is_named(tmp_path, scope, said):
    values = {
        name.replace("MobilenetEdgeTPU", scope): value
        for name, value in slim_values().items()
    }
    fails_unchanged(tmp_path, values, said)


def test_nan_is_an_error(tmp_path):
    values = slim_values()
    values["aspp0/weights"] = values["aspp0/weights"] * np.float32(np.nan)
    fails_unchanged(tmp_path, values, "aspp0/weights holds NaN")


def test_corrupt_data_is_an_error(tmp_path):
    path = write_checkpoint(tmp_path / "model.ckpt", slim_values())
    (data,) = tmp_path.glob("*.data-*")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0x55
    for broken in (content, content[: len(content) // 3]):
        data.write_bytes(broken)
        with pytest.raises(UserError, match="corrupt or cut short"):
            load_zoo_weights(network(), path)


def test_a_checkpoint_of_objects_is_named(tmp_path):
    import tensorflow as tf

    tf.train.Checkpoint(v=tf.Variable(1.0)).write(str(tmp_path / "ckpt"))
    with pytest.raises(UserError, match="--workdir"):
        load_zoo_weights(network(), tmp_path / "ckpt")


def test_a_decoder_that_resizes_otherwise_is_noted(shared):
    folder = shared / "fixtures/deeplab/mnv2_ade20k32"
    options = {
        "backbone": "mobilenet_v2",
        "decoder_channels": 256,
        "num_classes": 32,
        "input_shape": (64, 64, 3),
        "decoder": "deeplab_v3plus",
    }
    model = build_model(**options)
    (note,) = load_zoo_weights(model, folder).notes
    assert "align_corners=True" in note
    assert load_zoo_weights(model, folder, parts="backbone").notes == ()


def test_bad_arguments_are_named(tmp_path):
    with pytest.raises(UserError, match="^parts: 'head'"):
        load_zoo_weights(network(), tmp_path, parts="head")
    with pytest.raises(UserError, match="^model: dict"):
        load_zoo_weights({}, tmp_path)

import pytest

from deepgbass.zoo import names

XCEPTION_UNIT = "xception_65/entry_flow/block1/unit_1/xception_module"


@pytest.mark.parametrize(
    ("slim", "ours"),
    [
        ("MobilenetEdgeTPU/Conv/weights", "Conv/kernel"),
        ("MobilenetV2/Conv/BatchNorm/beta", "Conv_bn/beta"),
        (
            "MobilenetEdgeTPU/expanded_conv_9/depthwise/depthwise_weights",
            "expanded_conv_9_depthwise/depthwise_kernel",
        ),
        (
            f"{XCEPTION_UNIT}/separable_conv1_depthwise/depthwise_weights",
            "entry_flow_block1_unit_1_separable_conv1_depthwise/"
            "depthwise_kernel",
        ),
        (
            f"{XCEPTION_UNIT}/shortcut/BatchNorm/moving_mean",
            "entry_flow_block1_unit_1_shortcut_bn/moving_mean",
        ),
        ("logits/semantic/biases", "logits/bias"),
        (
            "decoder/decoder_conv0_depthwise/BatchNorm/gamma",
            "decoder_conv0_depthwise_bn/gamma",
        ),
        (
            "decoder/feature_projection0/weights",
            "decoder_feature_projection0/kernel",
        ),
        (
            "MobilenetEdgeTPU/Logits/Conv2d_1c_1x1/biases",
            f"{names.CLASSIFIER}/bias",
        ),
    ],
)
def test_slim_names_become_ours(slim, ours):
    assert names.model_name(slim) == ours


def test_a_classifiers_logits_are_not_deeplabs():
    theirs, deeplab = "xception_65/logits/weights", "logits/semantic/weights"
    assert names.is_classifier(theirs) and not names.is_classifier(deeplab)
    assert names.model_name(theirs) != names.model_name(deeplab)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("global_step", "training state"),
        ("optimizer/beta1_power", "training state"),
        ("aspp0/weights/Momentum", "optimiser slot"),
        ("aspp0/BatchNorm/gamma/Adam_1", "optimiser slot"),
        ("aspp0/weights/ExponentialMovingAverage", "shadow"),
        ("MobilenetV2/Conv/weights_quant/min", "quantisation"),
        ("MobilenetV2/add/act_quant/max", "quantisation"),
        ("MobilenetV2/Conv/act_quant/min/biased", "quantisation"),
    ],
)
def test_what_is_no_weight_has_a_reason(name, reason):
    assert reason in names.skip_reason(name)


def test_weights_have_no_reason_to_be_skipped():
    for last in ("weights", "biases", "BatchNorm/moving_variance"):
        assert names.skip_reason(f"MobilenetV2/Conv/{last}") is None


def test_layers_belong_to_groups():
    groups = {
        "expanded_conv_1_expand_bn": "backbone",
        "exit_flow_block2_unit_1_separable_conv3_pointwise": "backbone",
        "image_pooling": "aspp",
        "aspp3_depthwise_bn": "aspp",
        "concat_projection_bn": "aspp",
        "decoder_feature_projection0": "decoder",
        "logits": "logits",
        names.CLASSIFIER: "logits",
    }
    assert {layer: names.group(layer) for layer in groups} == groups


def test_the_backbone_of_a_file_and_of_a_network():
    assert names.file_backbone(["aspp0/weights", "xception_65/a/b"]) == (
        "xception_65"
    )
    assert names.file_backbone(["aspp0/weights", "mine/Conv/weights"]) is None
    assert names.network_backbone(["expanded_conv_project"]) == (
        "mobilenet_edgetpu"
    )
    assert names.network_backbone(["dense"]) is None

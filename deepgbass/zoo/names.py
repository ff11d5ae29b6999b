"""From TF1 slim variable names to the names of our layers and weights.

"MobilenetEdgeTPU/expanded_conv_1/expand/BatchNorm/gamma" is the weight
"expanded_conv_1_expand_bn/gamma" here. Pure functions of strings.
"""

import re

# Top scopes of slim's backbones and what `build_model` calls them. MobileNetV3
# and ResNet are known so that a file of theirs can be named; None: no network
# here has their layers.
BACKBONE_SCOPES = {
    "MobilenetEdgeTPU": "mobilenet_edgetpu",
    "MobilenetV2": "mobilenet_v2",
    "xception_65": "xception65",
    "xception_41": None,
    "xception_71": None,
    "MobilenetV1": None,
    "MobilenetV3": None,
    "resnet_v1_50": None,
    "resnet_v1_101": None,
}

CLASSIFIER = "Logits_Conv2d_1c_1x1"

_WEIGHTS = {
    "weights": "kernel",
    "depthwise_weights": "depthwise_kernel",
    "biases": "bias",
}
_DROPPED = ("semantic", "xception_module")
_HEAD = re.compile(r"image_pooling|aspp\d|concat_projection|decoder_|[lL]ogits")
_TRAINING_STATE = ("global_step", "beta1_power", "beta2_power")
_SLOTS = ("Momentum", "Adam", "Adam_1", "RMSProp", "RMSProp_1")


def skip_reason(name: str) -> str | None:
    """Why a variable is no weight of a network; None if it may be one."""
    *scopes, last = name.split("/")
    if last in _TRAINING_STATE:
        return "training state"
    if last in _SLOTS:
        return "optimiser slot"
    if last == "ExponentialMovingAverage":
        return "shadow of a moving average"
    if any(scope.endswith("_quant") for scope in scopes):
        return "range of fake quantisation"
    return None


def is_classifier(name: str) -> bool:
    """Whether a variable is of an image classifier's head.

    Slim puts that head inside the backbone's scope ("MobilenetV2/Logits/...",
    "xception_65/logits/..."), DeepLab puts its own outside ("logits/...").
    """
    parts = name.split("/")
    return (
        len(parts) > 2
        and parts[0] in BACKBONE_SCOPES
        and parts[1].lower() in ("logits", "auxlogits")
    )


def layer_name(scope: str) -> str:
    """The layer of a slim scope, e.g. "decoder/decoder_conv0_pointwise"."""
    parts = scope.split("/")
    if len(parts) > 1 and parts[0] in BACKBONE_SCOPES:
        parts = parts[1:]
        # A classifier's, not DeepLab's: see `is_classifier`.
        if parts[0] == "logits":
            parts = ["Logits", *parts[1:]]
    if parts[0] == "decoder" and parts[1:2] and parts[1].startswith("decoder_"):
        parts = parts[1:]
    parts = [part for part in parts if part not in _DROPPED]
    return "_".join("bn" if part == "BatchNorm" else part for part in parts)


def model_name(name: str) -> str:
    """The weight ("layer/weight") that a slim variable is the value of."""
    scope, _, weight = name.rpartition("/")
    return f"{layer_name(scope)}/{_WEIGHTS.get(weight, weight)}"


def group(layer: str) -> str:
    """The part of a network that a layer of ours belongs to.

    Returns:
        "backbone", "aspp", "decoder" or "logits".
    """
    if not _HEAD.match(layer):
        return "backbone"
    if layer.startswith("decoder_"):
        return "decoder"
    return "logits" if layer.lower().startswith("logits") else "aspp"


def top_scopes(names) -> list[str]:
    """The distinct first components of variable names, sorted."""
    return sorted({name.split("/")[0] for name in names})


def file_backbone(names) -> str | None:
    """The slim scope of the backbone that variables are of, if known."""
    scopes = [s for s in top_scopes(names) if s in BACKBONE_SCOPES]
    return scopes[0] if len(scopes) == 1 else None


def network_backbone(layers) -> str | None:
    """What `build_model` calls the backbone with these layer names."""
    layers = set(layers)
    if "entry_flow_conv1_1" in layers:
        return "xception65"
    # The first block of EdgeTPU has no depthwise convolution.
    if "expanded_conv_depthwise" in layers:
        return "mobilenet_v2"
    return "mobilenet_edgetpu" if "expanded_conv_project" in layers else None

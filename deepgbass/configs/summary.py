"""A configuration in a few words, as lists and runs show it."""

import dataclasses

from deepgbass.configs.experiment import ExperimentConfig

_BACKBONES = {
    "mobilenet_edgetpu": "MNEdge",
    "mobilenet_v2": "MobileNetV2",
    "xception65": "Xception65",
}
_DECODERS = {"guided": "DGD", "deeplab_v3plus": "DLv3D"}
_LOSSES = {"cross_entropy": "CE", "sbl": "CE + SBL", "sbal": "SBAL"}


def network(model):
    """The network of a `ModelConfig` in the paper's words."""
    words = _BACKBONES[model.backbone]
    if model.depth_multiplier != 1:
        words = f"{model.depth_multiplier:g} {words}"
    if model.decoder:
        words += f" + {_DECODERS[model.decoder]}-{model.decoder_channels}"
    return words


def loss(config):
    """The loss of a `LossConfig` in the paper's words."""
    words = _LOSSES[config.name]
    return f"CE + {words}" if config.effective().ce_weight else words


def effective(config):
    """What a run does, and every field that counts and is not the default's.

    Returns:
        Lines of text: the first says what is trained and how, one a section
        gives the fields, in the words of `--set`.
    """
    train, default = config.train, ExperimentConfig()
    lines = [
        f"{config.name}: {network(config.model)}, {loss(config.loss)}, batch "
        f"{train.batch_size}, {train.optimizer} at {train.learning_rate:g}, "
        f"{train.steps:,} steps; as defaults (config.json has all) but"
    ]
    config = dataclasses.replace(config, loss=config.loss.effective())
    for section in ("model", "data", "loss", "train"):
        words = [
            f"{name}={_word(value)}"
            for name, value in vars(getattr(config, section)).items()
            if value != getattr(getattr(default, section), name)
        ]
        if words:
            lines.append(f"  {section:6}{' '.join(words)}")
    return "\n".join(lines)


def _word(value):
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "[]"
    return str(value).lower() if value in (None, True, False) else str(value)

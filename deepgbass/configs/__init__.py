"""Experiment configuration: frozen dataclasses, validated when made.

An experiment is an `ExperimentConfig`; its sections are the parts of the
system, a file each. `with_overrides` applies `section.field=value` words; JSON
is the form kept in a work directory. The named ones are in `presets.py`.
"""

from deepgbass.configs.data import DataConfig
from deepgbass.configs.differences import differences
from deepgbass.configs.experiment import (
    ExperimentConfig,
    load_config,
    read_config,
)
from deepgbass.configs.loss import LOSS_CHOICES, LOSSES, LossConfig
from deepgbass.configs.model import BACKBONES, DECODERS, ModelConfig
from deepgbass.configs.train import INIT_PARTS, OPTIMIZERS, TrainConfig

__all__ = [
    "BACKBONES",
    "DECODERS",
    "DataConfig",
    "ExperimentConfig",
    "INIT_PARTS",
    "LOSSES",
    "LOSS_CHOICES",
    "LossConfig",
    "ModelConfig",
    "OPTIMIZERS",
    "TrainConfig",
    "differences",
    "load_config",
    "read_config",
]

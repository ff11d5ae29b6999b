"""The named experiments."""

import pathlib

from deepgbass.configs import (
    DataConfig,
    ExperimentConfig,
    ModelConfig,
    TrainConfig,
    read_config,
)
from deepgbass.errors import UserError

# Both start from random weights and train for minutes, not days: batch norm's
# moving statistics must follow at once.
_CAMVID = ExperimentConfig(
    name="camvid",
    model=ModelConfig(depth_multiplier=0.5, batch_norm_momentum=0.97),
    data=DataConfig(crop_size=(240, 320), eval_size=(368, 480)),
    train=TrainConfig(
        batch_size=4, steps=1_500, warmup_steps=75, checkpoint_every=100
    ),
)
_DEMO = ExperimentConfig(
    name="demo",
    model=ModelConfig(
        depth_multiplier=0.35,
        aspp_channels=64,
        decoder_channels=32,
        batch_norm_momentum=0.95,
    ),
    data=DataConfig(
        source="synthetic", crop_size=(96, 128), eval_size=(96, 128)
    ),
    train=TrainConfig(
        learning_rate=0.004,
        batch_size=8,
        steps=400,
        warmup_steps=40,
        checkpoint_every=100,
    ),
)

PRESETS = {config.name: config for config in (_DEMO, _CAMVID)}


def get_config(name):
    """A preset by name, or the configuration in a JSON file.

    Raises:
        UserError: neither a preset nor a readable JSON file.
    """
    if name in PRESETS:
        return PRESETS[name]
    path = pathlib.Path(name)
    if path.suffix == ".json" and path.is_file():
        return read_config(path)
    raise UserError(
        f"--config={name} is neither a preset ({', '.join(sorted(PRESETS))}) "
        "nor a JSON file"
    )

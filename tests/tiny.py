"""A data set and an experiment so small that training takes seconds."""

import dataclasses

from deepgbass.configs import (
    DataConfig,
    ExperimentConfig,
    ModelConfig,
    TrainConfig,
)

SIZE = (48, 64)


def tiny_config(**train):
    """An experiment of six steps on the embedded set."""
    return ExperimentConfig(
        name="tiny",
        model=ModelConfig(
            depth_multiplier=0.1,
            aspp_channels=8,
            decoder_channels=8,
            batch_norm_momentum=0.5,
        ),
        data=DataConfig(source="records", crop_size=SIZE, eval_size=SIZE),
        train=dataclasses.replace(
            TrainConfig(
                batch_size=2,
                steps=6,
                warmup_steps=1,
                log_every=1,
                checkpoint_every=2,
            ),
            **train,
        ),
    )


def write_tiny(data_dir, train=4, val=2):
    from deepgbass.data.synthetic import write_synthetic

    write_synthetic(data_dir, train=train, val=val, size=SIZE)
    return data_dir

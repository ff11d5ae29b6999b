"""The named experiments: every row of Tables I to III, and two small ones.

A row is DATA_BACKBONE_ROW, as in `cityscapes_mnedge_full`:

    baseline  DeepLab, for Xception65 DeepLabv3+; cross-entropy
    dgd       + DGD; cross-entropy
    sbl       the baseline's network; cross-entropy + SBL
    dgd_sbl   + DGD; cross-entropy + SBL
    full      + DGD; SBL and SBL-WCE: DeepGBASS

Table II's are `table2_dlv3d_256`, `_64`, `table2_dgd_256` and `_64`. Of
Xception65 the paper prints baseline and full, on ADE20K-32 dgd_sbl too; the
others are made the same way. What is the paper's stands under "Section IV.A",
what is ours says why. The paper starts from ImageNet weights, whose path only
you know: `--set train.init_weights=PATH`.
"""

import dataclasses
import difflib
import pathlib

from deepgbass.configs import (
    DataConfig,
    ExperimentConfig,
    LossConfig,
    ModelConfig,
    TrainConfig,
    read_config,
)
from deepgbass.errors import UserError

# Section IV.A, for all. Ours: the warm-up is linear, since any other shape
# needs a number that the paper does not give. Weight decay follows TF1
# DeepLab, on which the paper builds: half the squared norm, of full
# convolutions alone.
_TRAIN = TrainConfig(
    steps=35_000 + 200_000,
    warmup_steps=35_000,
    eval_every=5_000,
    power=0.9,
    weight_decay=4e-6,
    momentum=0.9,
)

# Section IV.A: (batch size, optimiser, base rate).
_RECIPES = {
    ("cityscapes", "mnedge"): (48, "adam", 0.002),
    ("cityscapes", "xception65"): (24, "sgd", 0.007),
    ("ade20k32", "mnedge"): (24, "sgd", 0.001),
    ("ade20k32", "xception65"): (10, "sgd", 0.002),
}

# Section IV.A. Evaluation of Cityscapes is at the size of Table II's caption.
_AUGMENTATION = {"min_scale": 0.5, "max_scale": 2.0, "flip": True}
_DATA = {
    "cityscapes": DataConfig(
        crop_size=(512, 1024), eval_size=(1024, 2048), **_AUGMENTATION
    ),
    "ade20k32": DataConfig(
        crop_size=(512, 512),
        eval_size=(512, 512),
        resize_longer_side=512,
        **_AUGMENTATION,
    ),
}

# The baselines. MNEdge has no decoder: Table I's 74.83 is neither of Table
# II's DLv3D. Xception65 is that of TF1 DeepLab's zoo, whose 78.79 Table I
# quotes: rates for output stride 16, decoder of 256 channels.
_BACKBONES = {
    "mnedge": ModelConfig(backbone="mobilenet_edgetpu", decoder=None),
    "xception65": ModelConfig(
        backbone="xception65",
        aspp_rates=(6, 12, 18),
        decoder="deeplab_v3plus",
        decoder_channels=256,
    ),
}

# DGD takes the place of DLv3D, as Table II sets one against the other. 256
# channels: Table I's MNEdge + DGD has the figures of Table II's DGD-256. That
# Xception65 and ADE20K-32 have them too is a guess: the paper names no other.
_DGD = {"decoder": "guided", "decoder_channels": 256}

# Lambda 1 and 2: with SBL-WCE as a mean, both terms are of one order. The
# temperature is that of GSCNN, whose loss SBL is. Neither is in the paper.
_SBAL = {"wce_weight": 1.0, "sbl_weight": 1.0, "temperature": 0.5}
_LOSSES = {
    "cross_entropy": LossConfig(name="cross_entropy"),
    # SBL alone cannot name classes: without SBL-WCE, cross-entropy stays.
    "sbl": LossConfig(name="sbl", **_SBAL),
    "sbal": LossConfig(name="sbal", **_SBAL),
}

# Changes to the baseline's network, and the loss.
_ROWS = {
    "baseline": ({}, "cross_entropy"),
    "dgd": (_DGD, "cross_entropy"),
    "sbl": ({}, "sbl"),
    "dgd_sbl": (_DGD, "sbl"),
    "full": (_DGD, "sbal"),
}

# Cross-entropy: DGD-256 has the figures of Table I's row without SBL.
_TABLE_2 = {
    f"{name}_{channels}": {"decoder": decoder, "decoder_channels": channels}
    for name, decoder in (("dlv3d", "deeplab_v3plus"), ("dgd", "guided"))
    for channels in (256, 64)
}


def _paper_row(name, data, backbone, changes, loss):
    batch_size, optimizer, learning_rate = _RECIPES[data, backbone]
    return ExperimentConfig(
        name=name,
        model=dataclasses.replace(_BACKBONES[backbone], **changes),
        data=_DATA[data],
        loss=_LOSSES[loss],
        train=dataclasses.replace(
            _TRAIN,
            batch_size=batch_size,
            optimizer=optimizer,
            learning_rate=learning_rate,
        ),
    )


# Ours: the paper has no CamVid. Crops hold most of an image of 360x480 at the
# scales of section IV.A; images are padded to a multiple of 16 to be measured.
# The schedule is a small part of the paper's 235,000 steps: batch norm's moving
# statistics must follow at once. New layers learn at the paper's rate; the
# backbone, which is not new, at 0.3 of it, about the square root of 4 / 48, the
# batches' ratio; the logits, which Adam moves by the rate whatever their
# gradient, grow in time only at three times the rate. Cross-entropy stays
# beside SBL-WCE (docs/where-the-paper-is-silent.md has the measurements).
# DGD-64, Table II's for devices.
_CAMVID = ExperimentConfig(
    name="camvid",
    model=ModelConfig(batch_norm_momentum=0.97),
    data=DataConfig(
        crop_size=(240, 320), eval_size=(368, 480), **_AUGMENTATION
    ),
    loss=LossConfig(ce_weight=1.0),
    train=TrainConfig(
        optimizer="adam",
        learning_rate=0.002,
        rate_multipliers=("backbone=0.3", "logits=3"),
        batch_size=4,
        steps=1_500,
        warmup_steps=75,
        checkpoint_every=100,
    ),
)
# Minutes from random weights on the embedded set.
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

# Data set -> the experiments meant for it.
PRESETS_BY_DATA = {
    "synthetic": (_DEMO,),
    "camvid": (_CAMVID,),
    **{
        data: tuple(
            _paper_row(f"{data}_{backbone}_{row}", data, backbone, *changes)
            for backbone in _BACKBONES
            for row, changes in _ROWS.items()
        )
        for data in _DATA
    },
}
PRESETS_BY_DATA["cityscapes"] += tuple(
    _paper_row(f"table2_{k}", "cityscapes", "mnedge", decoder, "cross_entropy")
    for k, decoder in _TABLE_2.items()
)
PRESETS = {
    config.name: config
    for configs in PRESETS_BY_DATA.values()
    for config in configs
}


def note_other_data(config, info, data_dir):
    """Says if data are not those that a preset is a recipe for.

    Args:
        config: `ExperimentConfig`, by its name.
        info: `DatasetInfo` of the data.
        data_dir: their folder.
    """
    for intended, presets in PRESETS_BY_DATA.items():
        named = any(preset.name == config.name for preset in presets)
        if named and info.name != intended:
            print(
                f"Note: {config.name} is a recipe for {intended}; the data set "
                f"in {data_dir} is {info.name}, of {info.num_classes} classes",
                flush=True,
            )


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
    near = difflib.get_close_matches(name, PRESETS, n=3)
    raise UserError(
        f"--config={name} is neither a preset nor a JSON file; "
        + (f"the nearest presets: {', '.join(near)}; " if near else "")
        + "train.py --list_configs shows all"
    )

"""Every preset against section IV.A and Tables I to III, written out here."""

import pytest

from deepgbass.experiment import make_model
from deepgbass.presets import PRESETS, PRESETS_BY_DATA

# Batch size, optimiser, base rate.
RECIPES = {
    "cityscapes_mnedge": (48, "adam", 0.002),
    "cityscapes_xception65": (24, "sgd", 0.007),
    "ade20k32_mnedge": (24, "sgd", 0.001),
    "ade20k32_xception65": (10, "sgd", 0.002),
    "table2": (48, "adam", 0.002),
}
# Crop, evaluation, and what the longer side is resized to.
DATA = {
    "cityscapes": ((512, 1024), (1024, 2048), None),
    "ade20k32": ((512, 512), (512, 512), 512),
    "table2": ((512, 1024), (1024, 2048), None),
}
MNEDGE_ROWS = {
    "baseline": (None, "cross_entropy"),
    "dgd": ("guided", "cross_entropy"),
    "sbl": (None, "sbl"),
    "dgd_sbl": ("guided", "sbl"),
    "full": ("guided", "sbal"),
}
XCEPTION_ROWS = MNEDGE_ROWS | {
    "baseline": ("deeplab_v3plus", "cross_entropy"),
    "sbl": ("deeplab_v3plus", "sbl"),
}
ROWS = {
    f"{data}_{backbone}_{row}": wanted
    for data in ("cityscapes", "ade20k32")
    for backbone, rows in (
        ("mnedge", MNEDGE_ROWS),
        ("xception65", XCEPTION_ROWS),
    )
    for row, wanted in rows.items()
} | {
    "table2_dlv3d_256": ("deeplab_v3plus", "cross_entropy"),
    "table2_dlv3d_64": ("deeplab_v3plus", "cross_entropy"),
    "table2_dgd_256": ("guided", "cross_entropy"),
    "table2_dgd_64": ("guided", "cross_entropy"),
}


def of_row(table, name):
    (value,) = (v for key, v in table.items() if name.startswith(f"{key}_"))
    return value


def test_all_rows_of_the_paper_and_two_small_ones_are_there():
    assert len(ROWS) == 24
    assert set(PRESETS) == set(ROWS) | {"demo", "camvid"}
    assert [c.name for cs in PRESETS_BY_DATA.values() for c in cs] == list(
        PRESETS
    )


@pytest.mark.parametrize("name", ROWS)
def test_augmentation_and_sizes_are_the_paper_s(name):
    data = PRESETS[name].data
    sizes = data.crop_size, data.eval_size, data.resize_longer_side
    assert sizes == of_row(DATA, name)
    assert (data.min_scale, data.max_scale, data.flip) == (0.5, 2.0, True)
    # No other augmentation.
    colours = (data.brightness, data.contrast, data.saturation, data.hue)
    assert colours == (0, 0, 0, 0)
    assert data.max_class_share is None
    assert data.source == "records"


@pytest.mark.parametrize("name", ROWS)
def test_optimisation_is_the_paper_s(name):
    train = PRESETS[name].train
    recipe = (train.batch_size, train.optimizer, train.learning_rate)
    assert recipe == of_row(RECIPES, name)
    assert train.momentum == 0.9
    assert train.power == 0.9
    assert train.weight_decay == 4e-6
    assert train.warmup_steps == 35_000
    assert train.steps - train.warmup_steps == 200_000
    # Nothing that the paper does not name.
    assert (train.precision, train.accumulate) == ("float32", 1)
    assert (train.ema_decay, train.clip_norm) == (None, None)
    assert (train.freeze, train.rate_multipliers) == ((), ())
    assert not train.freeze_batch_norm and not train.recompute
    # ImageNet weights: which file is the user's to say.
    assert (train.init_weights, train.init_parts) == (None, "backbone")


@pytest.mark.parametrize("name", ROWS)
def test_network_and_loss_are_the_row_s(name):
    model, loss = PRESETS[name].model, PRESETS[name].loss
    assert (model.decoder, loss.name) == ROWS[name]
    xception = "xception65" in name
    assert model.backbone == ("xception65" if xception else "mobilenet_edgetpu")
    assert model.aspp_rates == ((6, 12, 18) if xception else ())
    assert (model.aspp_channels, model.output_stride) == (256, 16)
    assert model.depth_multiplier == 1
    if model.decoder:
        assert model.decoder_channels == (64 if name.endswith("_64") else 256)
    # The paper's T and bandwidth, no cross-entropy beside SBL-WCE.
    assert (loss.threshold, loss.ce_weight) == (0.1, 0)
    assert (loss.wce_weight, loss.sbl_weight, loss.temperature) == (1, 1, 0.5)
    assert loss.noise


def test_camvid_is_dgd_64_at_full_width_with_the_paper_s_augmentation():
    camvid = PRESETS["camvid"]
    model, data, train = camvid.model, camvid.data, camvid.train
    assert (model.depth_multiplier, model.batch_norm_momentum) == (1.0, 0.97)
    assert (model.decoder, model.decoder_channels) == ("guided", 64)
    assert (data.crop_size, data.eval_size) == ((240, 320), (368, 480))
    assert (data.min_scale, data.max_scale, data.flip) == (0.5, 2.0, True)
    assert (train.batch_size, train.optimizer) == (4, "adam")
    assert (train.learning_rate, train.power) == (0.002, 0.9)
    assert train.rate_multipliers == ("backbone=0.3", "logits=3")
    assert (camvid.loss.name, camvid.loss.ce_weight) == ("sbal", 1)
    assert (train.steps, train.warmup_steps) == (1_500, 75)


def test_table_1_s_dgd_is_table_2_s_dgd_256():
    # Both rows read 76.28 % mIoU and 75.54 % mBF.
    first, second = (
        PRESETS[name] for name in ("cityscapes_mnedge_dgd", "table2_dgd_256")
    )
    for section in ("model", "data", "loss", "train"):
        assert getattr(first, section) == getattr(second, section)


def kinds():
    """One preset of each backbone and decoder."""
    found = {}
    for name in ROWS:
        model = PRESETS[name].model
        found.setdefault((model.backbone, model.decoder), name)
    return list(found.values())


def test_there_are_five_kinds_of_network():
    assert len(kinds()) == 5


@pytest.mark.parametrize("name", kinds())
def test_each_network_builds_at_any_size(name):
    # Neither side is a multiple of the output stride, nor a multiple plus 1.
    model = PRESETS[name].model
    network = make_model(model, num_classes=5, size=(39, 54))
    size = (10, 14) if model.decoder else (3, 4)
    assert network.output_shape == (None, *size, 5)

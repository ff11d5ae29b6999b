"""An experiment's parts, made from its configuration and work directory."""

import pathlib

import tensorflow as tf

from deepgbass.configs import load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.files import write_atomic
from deepgbass.losses import IgnoreCrossentropy, SBALoss
from deepgbass.models import build_model


def make_model(config, num_classes, size, batch_size=None):
    """The network of a `ModelConfig`.

    Args:
        size: (height, width) of its input in pixels.
        batch_size: int for a static batch, as export needs; None for any.
    """
    return build_model(
        backbone=config.backbone,
        decoder=None if config.decoder == "none" else config.decoder,
        decoder_channels=config.decoder_channels,
        num_classes=num_classes,
        input_shape=(*size, 3),
        output_stride=config.output_stride,
        depth_multiplier=config.depth_multiplier,
        aspp_channels=config.aspp_channels,
        aspp_rates=config.aspp_rates,
        box_radius=config.box_radius,
        batch_norm_momentum=config.batch_norm_momentum,
        batch_size=batch_size,
    )


def make_loss(config):
    """The training loss of a `LossConfig`: one of Table I's rows."""
    if config.name == "cross_entropy":
        return IgnoreCrossentropy()
    is_sbal = config.name == "sbal"
    return SBALoss(
        wce_weight=config.wce_weight if is_sbal else 0.0,
        sbl_weight=config.sbl_weight,
        # SBL alone cannot name classes: the "+SBL" rows keep cross-entropy.
        ce_weight=config.ce_weight if is_sbal else 1.0,
        noise=config.noise,
        temperature=config.temperature,
        threshold=config.threshold,
        normalizer=config.normalizer,
    )


def prepare_data_dir(config, workdir, data_dir):
    """The folder of records to use; the embedded set is written on demand.

    Raises:
        UserError: the experiment reads records and `data_dir` is not given.
    """
    if config.data.source == "synthetic":
        from deepgbass.data.synthetic import write_synthetic

        data_dir = pathlib.Path(data_dir or pathlib.Path(workdir) / "data")
        write_synthetic(data_dir)
        return data_dir
    if not data_dir:
        raise UserError(
            f"--config={config.name} reads TFRecords: give their folder as "
            "--data_dir (datasets/README.md says how to make them)"
        )
    return pathlib.Path(data_dir)


def checkpoint_dir(workdir):
    return pathlib.Path(workdir) / "checkpoints"


def claim_workdir(config, info, workdir):
    """Makes `workdir` this experiment's, or makes sure that it already is.

    Raises:
        UserError: the folder holds another experiment, or files that are
            not an experiment's. Nothing is overwritten.
    """
    workdir = pathlib.Path(workdir)
    path = workdir / "config.json"
    if path.exists():
        require_same(config, info, workdir)
        return
    foreign = sorted(p.name for p in workdir.glob("*") if p.name != "data")
    if foreign:
        raise UserError(
            f"--workdir={workdir} holds other files ({foreign[0]}, ...) "
            "and no config.json; choose an empty or new folder"
        )
    info.save(workdir)
    write_atomic(path, config.to_json())


def require_same(config, info, workdir):
    """Makes sure that `workdir` was made for this experiment and data set.

    Raises:
        UserError: it was not; the message names the fields that differ.
    """
    differences = _differences(load_config(workdir), config)
    if DatasetInfo.load(workdir) != info:
        differences.append("the data set")
    if differences:
        raise UserError(
            f"--workdir={workdir} holds another experiment, which differs in "
            f"{', '.join(differences)}; choose another folder, or give the "
            "configuration that is there"
        )


def _differences(found, wanted):
    """Fields in which two configurations differ, as readable words."""
    words = []
    for section in ("model", "data", "loss", "train"):
        old = vars(getattr(found, section))
        new = vars(getattr(wanted, section))
        words += [
            f"{section}.{name} ({old[name]!r} there, {new[name]!r} asked for)"
            for name in new
            if old[name] != new[name]
        ]
    return words


def restore_model(workdir, size=None, batch_size=None):
    """The trained network of a work directory, at any input size.

    Args:
        workdir: folder that train.py made.
        size: (height, width) in pixels; by default `data.eval_size`.
        batch_size: as in `make_model`.

    Returns:
        (model, step): the network with the newest checkpoint's weights, and
        the step of that checkpoint.

    Raises:
        UserError: no checkpoint yet, or one that does not fit.
    """
    config, info = load_config(workdir), DatasetInfo.load(workdir)
    path = tf.train.latest_checkpoint(checkpoint_dir(workdir))
    if path is None:
        raise UserError(
            f"{checkpoint_dir(workdir)} has no checkpoint; train first "
            f"(train.py --workdir={workdir})"
        )
    model = make_model(
        config.model,
        info.num_classes,
        size or config.data.eval_size,
        batch_size,
    )
    step = tf.Variable(0, dtype=tf.int64)
    try:
        status = tf.train.Checkpoint(model=model, step=step).restore(path)
        status.expect_partial().assert_existing_objects_matched()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"checkpoint {path} does not fit the network of "
            f"{workdir}/config.json: {reason}"
        ) from None
    return model, int(step)

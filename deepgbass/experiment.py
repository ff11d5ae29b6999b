"""An experiment's parts, made from its configuration and work directory."""

import dataclasses
import pathlib

from deepgbass.configs import differences, load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.synthetic import write_synthetic
from deepgbass.data.verify import verify_split
from deepgbass.errors import UserError
from deepgbass.files import write_atomic
from deepgbass.losses import IgnoreCrossentropy, SBALoss
from deepgbass.models import build_model
from deepgbass.training import checkpoint_files, checkpoints
from deepgbass.training.averaging import WeightAverage

_VERIFIED = "verified.json"

# What a run that was killed early may have left in its folder.
_OWN = ("data", "dataset.json", _VERIFIED)


def make_model(config, num_classes, size, batch_size=None):
    """The network of a `ModelConfig`.

    Args:
        size: (height, width) of its input in pixels.
        batch_size: int for a static batch, as export needs; None for any.
    """
    return build_model(
        **config.build_arguments(),
        num_classes=num_classes,
        input_shape=(*size, 3),
        batch_size=batch_size,
    )


def make_loss(config):
    """The training loss of a `LossConfig`: one of Table I's rows."""
    if config.name == "cross_entropy":
        return IgnoreCrossentropy()
    options = dataclasses.asdict(config)
    if options.pop("name") == "sbl":
        # SBL alone cannot name classes: the "+SBL" rows keep cross-entropy.
        options |= {"wce_weight": 0.0, "ce_weight": 1.0}
    return SBALoss(**options)


def open_split(config, workdir, data_dir, split):
    """Opens and verifies a split of the experiment's data.

    Args:
        config: `ExperimentConfig`.
        workdir: remembers there that the split was verified, so that an
            unchanged one is read only once.
        data_dir: folder of records; the embedded set needs none and is
            written below `workdir` when it is not there.
        split: name of the split.

    Returns:
        `SegmentationDataset`.

    Raises:
        UserError: `data_dir` is needed and not given, or the data are bad.
    """
    config.require_data_dir(data_dir)
    if config.data.source == "synthetic":
        data_dir = data_dir or pathlib.Path(workdir) / "data"
        write_synthetic(data_dir)
    dataset = load_dataset(data_dir, split)
    verify_split(dataset, pathlib.Path(workdir) / _VERIFIED)
    return dataset


def check_workdir(config, workdir):
    """Makes sure that `workdir` is new or this experiment's; writes nothing.

    Raises:
        UserError: the folder holds another experiment, or files that are
            not an experiment's.
    """
    workdir = pathlib.Path(workdir)
    if (workdir / "config.json").exists():
        found = load_config(workdir)
        folder = checkpoints.checkpoint_dir(workdir)
        if folder.exists() and not folder.is_dir():
            raise UserError(
                f"{folder} is a file, where checkpoints belong; move it away"
            )
        # Nothing is lost of a run that was never saved.
        if has_checkpoints(workdir):
            _refuse(workdir, differences(found, config))
        return
    if workdir.exists() and not workdir.is_dir():
        raise UserError(f"--workdir={workdir} is a file, not a folder")
    foreign = sorted(
        path.name
        for path in workdir.glob("*")
        if path.name not in _OWN and not path.name.startswith(".")
    )
    if foreign:
        raise UserError(
            f"--workdir={workdir} holds other files ({foreign[0]}, ...) "
            "and no config.json; choose an empty or new folder"
        )


def has_checkpoints(workdir):
    """Whether a run in this folder was ever saved, sound or damaged."""
    return any(checkpoints.checkpoint_dir(workdir).glob("step-*"))


def claim_workdir(config, info, workdir):
    """Makes `workdir` this experiment's, once its data were found good.

    Raises:
        UserError: it was made for another data set.
    """
    path = pathlib.Path(workdir) / "config.json"
    if (
        path.exists()
        and has_checkpoints(workdir)
        and DatasetInfo.load(workdir) != info
    ):
        _refuse(workdir, ["the data set"])
    # config.json comes last: it says that the rest is there.
    info.save(workdir)
    write_atomic(path, config.to_json())


def require_same_network(config, info, workdir):
    """Makes sure that a work directory's network serves a configuration.

    For evaluation and export, where data and training may differ.

    Raises:
        UserError: the networks differ, or the classes.
    """
    found = differences(load_config(workdir), config, ("model",))
    trained = DatasetInfo.load(workdir)
    if trained.class_names != info.class_names:
        found.append("the classes of the data set")
    _refuse(workdir, found)


def _refuse(workdir, found):
    if found:
        raise UserError(
            f"--workdir={workdir} holds another experiment, which differs in "
            f"{', '.join(found)}; choose another folder, or give the "
            "configuration that is there"
        )


def restore_model(workdir, size=None, batch_size=None, which="newest"):
    """The trained network of a work directory, at any input size.

    Args:
        workdir: folder that train.py made.
        size: (height, width) in pixels; by default `data.eval_size`.
        batch_size: as in `make_model`.
        which: checkpoint, as `checkpoints.find` takes it.

    Returns:
        (model, step): the network with the checkpoint's weights, and the
        step of that checkpoint.

    Raises:
        UserError: no checkpoint yet, or one that does not fit.
    """
    config, info = load_config(workdir), DatasetInfo.load(workdir)
    saved = checkpoints.find(workdir, which)
    model = make_model(
        config.model,
        info.num_classes,
        size or config.data.eval_size,
        batch_size,
    )
    read_weights(saved, model, config.train)
    return model, saved.step


def read_weights(saved, model, train):
    """Gives a network a checkpoint's weights: their average, if it has one.

    Args:
        saved: `checkpoint_files.Saved`.
        model: network, changed in place.
        train: the `TrainConfig` that the checkpoint was made with.

    Raises:
        UserError: it does not fit.
    """
    if train.ema_decay is None:
        checkpoint_files.restore(saved, {"model": model})
        return
    average = WeightAverage(model, train.ema_decay)
    checkpoint_files.restore(saved, {"model": model, "average": average})
    average.apply()

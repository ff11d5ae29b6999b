"""Writing a whole data set: its splits, and last its description."""

import dataclasses
import itertools
import pathlib
import shutil
from collections.abc import Collection, Mapping

import tensorflow as tf

from deepgbass.data import dataset_info, tfrecord
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError

# Present while a conversion runs, or after it was killed.
_MARK = ".unfinished"


def write_dataset(
    info: DatasetInfo,
    splits: Mapping[str, Collection[tfrecord.Example]],
    data_dir,
    *,
    num_shards: int = 4,
    overwrite: bool = False,
) -> DatasetInfo:
    """Writes splits and `dataset.json`; an equal set there is kept.

    `dataset.json` goes first and comes last, so a conversion that was killed
    leaves nothing that a reader takes for a data set, and may be repeated.

    Args:
        info: The description; its `splits` are filled in here.
        splits: Checked examples by the name of the split.
        data_dir: Directory to write, made if missing.
        num_shards: Files a split.
        overwrite: Whether a different data set there may be replaced.
            Files that are no data set of ours are never touched.

    Returns:
        The description as written.

    Raises:
        UserError: The directory holds another data set and `overwrite` is
            False, it holds other files, or it cannot be written.
    """
    data_dir = pathlib.Path(data_dir)
    counts = {split: len(examples) for split, examples in splits.items()}
    info = dataclasses.replace(info, splits=counts)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if _holds(data_dir, info, splits):
            return info
        mark = data_dir / _MARK
        description = data_dir / dataset_info.FILE_NAME
        if description.exists():
            if not overwrite:
                raise UserError(
                    f"{data_dir}: holds another data set; choose another "
                    "directory (a conversion with --overwrite replaces it)"
                )
        elif not mark.exists() and (found := sorted(data_dir.iterdir())):
            raise UserError(
                f"{data_dir}: holds other files ({found[0].name}, ...) and "
                f"no {dataset_info.FILE_NAME}; choose an empty or new directory"
            )
        mark.touch()
        description.unlink(missing_ok=True)
        for abandoned in data_dir.glob(f"{tfrecord.PART}*"):
            shutil.rmtree(abandoned)
        for split in tfrecord.find_shards(data_dir):
            tfrecord.remove_split(data_dir, split)
        for split, examples in splits.items():
            tfrecord.write_split(examples, data_dir, split, num_shards)
        info.save(data_dir)
        mark.unlink()
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or error.message
        raise UserError(f"{data_dir}: cannot be written: {reason}") from error
    return info


def _holds(data_dir, info, splits) -> bool:
    """Whether the directory has exactly this description and records."""
    try:
        if DatasetInfo.load(data_dir) != info:
            return False
        return all(
            stored == example
            for split, examples in splits.items()
            for stored, example in itertools.zip_longest(
                tf.data.TFRecordDataset(
                    tfrecord.list_shards(data_dir, split)
                ).as_numpy_iterator(),
                map(tfrecord.serialize_example, examples),
            )
        )
    except (UserError, tf.errors.DataLossError):
        return False

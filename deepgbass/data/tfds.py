"""Data sets that TensorFlow Datasets has prepared: `tfds:NAME`.

Any set with an image and a map of ids for it. The files of TFDS are read in
place, record by record, and what they hold encoded is kept encoded. Nothing
is fetched unless that is asked for.
"""

import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from deepgbass.data.cityscapes_ids import CITYSCAPES, FROM_LABEL_IDS
from deepgbass.data.dataset_info import IGNORE_LABEL, DatasetInfo
from deepgbass.data.source import Source
from deepgbass.data.tfds_item import find_items
from deepgbass.errors import UserError

_VERSION = re.compile(r"\d+\.\d+\.\d+")


class Known(NamedTuple):
    """What TFDS does not say of a set: its classes and their stored ids."""

    info: DatasetInfo
    new_ids: Mapping[int, int]
    left_out: tuple[str, ...] = ()


KNOWN = {
    # The published labels of `test` have no classes.
    "cityscapes": Known(CITYSCAPES, FROM_LABEL_IDS, ("test",)),
    "oxford_iiit_pet": Known(
        DatasetInfo("oxford_iiit_pet", ("pet", "background", "border")),
        {1: 0, 2: 1, 3: 2},
    ),
}


def open_tfds(
    name: str,
    data_dir=None,
    *,
    image_key: str | None = None,
    label_key: str | None = None,
    class_names: Sequence[str] = (),
    label_offset: int = 0,
    ignore: Sequence[int] = (),
    download: bool = False,
) -> Source:
    """Finds a data set that TFDS has prepared.

    The classes of `KNOWN` sets are known; any of `class_names`,
    `label_offset` and `ignore` replaces them.

    Args:
        name: As TFDS has it, `NAME`, `NAME/CONFIG` or `NAME/CONFIG:VERSION`.
        data_dir: The folder of TFDS. Defaults to `$TFDS_DATA_DIR`, then
            `~/tensorflow_datasets`.
        image_key: The image's feature; the only one of 3 channels if not
            given.
        label_key: The label's feature; the only one of 1 channel if not
            given.
        class_names: The names in the order of their ids; those that TFDS
            has if not given.
        label_offset: The stored id of the first class.
        ignore: Stored ids that count nowhere.
        download: Whether TFDS may fetch and prepare what is not there.

    Returns:
        All splits, but of Cityscapes `test`. Ignored ids become 255.

    Raises:
        UserError: TFDS is not installed, the set is not prepared or cannot
            be, or which features, classes or ids count is not clear.
    """
    tfds = _import()
    folder = pathlib.Path(
        data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    ).expanduser()
    if download:
        _download(tfds, name, folder)
    builder = _open(tfds, name, _find(name, folder))
    images = {
        "/".join(path): feature
        for path, feature in _leaves(tfds, builder.info.features)
        if isinstance(feature, tfds.features.Image)
    }
    image_key = _choose(name, "image_key", image_key, images, channels=3)
    label_key = _choose(name, "label_key", label_key, images, channels=1)
    known = KNOWN.get(builder.name)
    if known is None or class_names or label_offset or ignore:
        names = class_names or getattr(images[label_key], "names", None)
        if not names:
            raise UserError(
                f"tfds:{name}: does not name the classes of {label_key}; give "
                "class_names in the order of their ids"
            )
        info = DatasetInfo(builder.name, tuple(names))
        new_ids = {label_offset + i: i for i in range(info.num_classes)}
        known = Known(info, new_ids | dict.fromkeys(ignore, IGNORE_LABEL))
    splits = {
        split: find_items(split, paths, image_key, label_key, known.new_ids)
        for split, paths in _files(name, builder).items()
        if split not in known.left_out
    }
    return Source(known.info, splits)


def _import():
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise UserError(
            "tfds: TensorFlow Datasets is not installed; "
            "run: pip install tensorflow-datasets importlib_resources"
        ) from error
    return tensorflow_datasets


def _download(tfds, name, folder):
    try:
        tfds.builder(name, data_dir=folder).download_and_prepare()
    except Exception as error:
        # TFDS has no base class for what can go wrong here.
        raise UserError(
            f"tfds:{name}: cannot be prepared: {_one_line(error)}"
        ) from error


def _find(name, folder):
    """The directory of the prepared set.

    TFDS itself would look for its description on the network.
    """
    base, _, version = name.partition(":")
    found = [
        path.parent
        for path in sorted((folder / base).rglob("dataset_info.json"))
        # Sets that are still being prepared have longer names.
        if _VERSION.fullmatch(path.parent.name)
        and version in ("", path.parent.name)
    ]
    if not found:
        raise UserError(
            f"tfds:{name}: is not prepared in {folder}; prepare it with "
            f"`tfds build {base}`, or allow the download"
        )
    if len(found) > 1:
        names = [os.path.relpath(path, folder) for path in found]
        choices = [":".join(choice.rsplit("/", 1)) for choice in names]
        raise UserError(f"tfds:{name}: give one of {', '.join(choices)}")
    return found[0]


def _open(tfds, name, path):
    try:
        return tfds.builder_from_directory(path)
    except Exception as error:
        raise UserError(
            f"tfds:{name}: {path} cannot be read: {_one_line(error)}"
        ) from error


def _leaves(tfds, features, path=()):
    """Pairs of the path and the feature, into nested dictionaries."""
    for key, feature in features.items():
        if isinstance(feature, tfds.features.FeaturesDict):
            yield from _leaves(tfds, feature, (*path, key))
        else:
            yield (*path, key), feature


def _choose(name, option, key, images, channels):
    """The key given if it is an image, else the only one of its kind."""
    fitting = [k for k, f in images.items() if f.shape[-1] == channels]
    if key is None and len(fitting) == 1:
        return fitting[0]
    if key in images:
        return key
    there = ", ".join(f"{k} {f.shape}" for k, f in images.items()) or "none"
    problem = f"has no image {key!r}" if key else f"needs {option}"
    raise UserError(f"tfds:{name}: {problem}; its images are: {there}")


def _files(name, builder):
    """The TFRecord files of every split."""
    if builder.info.file_format.value != "tfrecord":
        raise UserError(
            f"tfds:{name}: is prepared as {builder.info.file_format.value}; "
            "prepare it as tfrecord (tfds build --file_format=tfrecord)"
        )
    return {
        split: [pathlib.Path(path) for path in info.filepaths]
        for split, info in builder.info.splits.items()
        if info.num_examples
    }


def _one_line(error):
    return " ".join(str(error).split())

"""Your own data: a folder of images, one of labels, a list of classes.

    source/images/[train/]a.jpg      JPEG, PNG or BMP
    source/labels/[train/]a.png      8-bit PNG of class ids, same size
    source/classes.json

`classes.json` is a list of names, or of objects with `name` and `color`, or
an object with such a list as `classes` and the id of ignored pixels as
`ignore_label` (255 if it is not there). Files directly in `images/` are the
split `train`; sub-folders of `images/` are the splits otherwise.
"""

import functools
import io
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from deepgbass.data import decoding, tfrecord
from deepgbass.data.conversion import write_dataset
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.verify import check_pair, parallel_map, raise_problems
from deepgbass.errors import UserError
from deepgbass.progress import track

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


class Pair(NamedTuple):
    """An image file and its label file."""

    name: str
    image: pathlib.Path
    label: pathlib.Path

    def read(self) -> tfrecord.Example:
        """The bytes of both files; only palette labels are rewritten.

        Raises:
            UserError: A file cannot be read.
        """
        try:
            label = _palette_to_ids(self.label.read_bytes())
            return tfrecord.Example(self.name, self.image.read_bytes(), label)
        except OSError as error:
            reason = error.strerror or error
            path = error.filename or self.label
            raise UserError(f"{path}: cannot be read: {reason}") from error


class _Examples(Sequence):
    """Reads each pair when it is asked for."""

    def __init__(self, pairs):
        self._pairs = pairs

    def __len__(self):
        return len(self._pairs)

    def __getitem__(self, index):
        return self._pairs[index].read()


def convert_folder(
    source, data_dir, *, num_shards: int = 4, overwrite: bool = False
) -> DatasetInfo:
    """Converts the layout of this module's page to TFRecords.

    Every file is checked as `verify_split` does it before anything is
    written.

    Args:
        source: Directory with `images/`, `labels/` and `classes.json`.
        data_dir: Directory for the records.
        num_shards: Files a split.
        overwrite: Whether another data set in `data_dir` may be replaced.

    Returns:
        The description that was written.

    Raises:
        UserError: The layout, a file or the classes are wrong, or `data_dir`
            holds another data set.
    """
    source = pathlib.Path(source)
    folders = find_splits(source)
    info = read_classes(source / "classes.json", source.resolve().name)
    return convert_splits(
        folders, info, data_dir, num_shards=num_shards, overwrite=overwrite
    )


def convert_splits(
    folders: Mapping[str, tuple[pathlib.Path, pathlib.Path]],
    info: DatasetInfo,
    data_dir,
    *,
    num_shards: int = 4,
    overwrite: bool = False,
) -> DatasetInfo:
    """Checks and converts pairs of folders.

    Args:
        folders: The folder of images and that of labels of each split.
        info: The description; its `splits` are filled in.
        data_dir: Directory for the records.
        num_shards: Files a split.
        overwrite: Whether another data set in `data_dir` may be replaced.

    Returns:
        The description that was written.

    Raises:
        UserError: As of `convert_folder`.
    """
    splits = {s: _Examples(pair_files(*f)) for s, f in folders.items()}
    for split, examples in splits.items():
        check = functools.partial(_check, info)
        checks = parallel_map(check, examples)
        checks = track(checks, f"checking {split}", len(examples))
        problems = [problem for problem in checks if problem]
        raise_problems(str(folders[split][0]), len(examples), problems)
    return write_dataset(
        info, splits, data_dir, num_shards=num_shards, overwrite=overwrite
    )


def find_splits(source) -> dict[str, tuple[pathlib.Path, pathlib.Path]]:
    """The folders of images and labels of each split below `source`.

    Raises:
        UserError: `images/` or `labels/` is missing, or `images/` holds both
            files and folders.
    """
    images, labels = (_folder(source, name) for name in ("images", "labels"))
    entries = _visible(images)
    splits = sorted(path.name for path in entries if path.is_dir())
    if not splits:
        return {"train": (images, labels)}
    if files := [path for path in entries if path.is_file()]:
        raise UserError(
            f"{files[0]}: lies beside the folder {splits[0]}/; put every "
            "image into the folder of a split, or all directly into images/"
        )
    folders = [path.name for path in _visible(labels) if path.is_dir()]
    if alone := sorted(set(folders) - set(splits)):
        raise UserError(f"{labels / alone[0]}: there is no {images / alone[0]}")
    return {s: (images / s, labels / s) for s in splits}


def pair_files(images, labels) -> list[Pair]:
    """Pairs the files of two folders, and their sub-folders, by name.

    Raises:
        UserError: A file has no partner, two have the same name but for the
            suffix, one is of another type, or there are none.
    """
    images, labels = pathlib.Path(images), pathlib.Path(labels)
    for folder in (images, labels):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such directory")
    by_stem = _by_stem(images, _IMAGE_SUFFIXES)
    label_by_stem = _by_stem(labels, (".png",))
    for mine, others, folder, kind in (
        (by_stem, label_by_stem, labels, "label"),
        (label_by_stem, by_stem, images, "image"),
    ):
        alone = [path for stem, path in mine.items() if stem not in others]
        problems = [f"{path} has no {kind} in {folder}" for path in alone]
        raise_problems(str(images.parent), len(mine), problems)
    if not by_stem:
        raise UserError(f"{images}: holds no images")
    return [
        Pair(path.relative_to(images).as_posix(), path, label_by_stem[stem])
        for stem, path in by_stem.items()
    ]


def read_classes(path, name: str) -> DatasetInfo:
    """Reads `classes.json`; `name` becomes the data set's.

    Raises:
        UserError: The file is missing or malformed.
    """
    path = pathlib.Path(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(values, list):
            values = {"classes": values}
        if unknown := sorted(set(values) - {"classes", "ignore_label"}):
            raise UserError(f"unknown key {unknown[0]!r}")
        classes = [
            {"name": c} if isinstance(c, str) else c
            for c in values.pop("classes")
        ]
        names = tuple(c["name"] for c in classes)
        info = DatasetInfo(name, names, **values)
        colors = (
            c.get("color", default)
            for c, default in zip(classes, info.colors, strict=True)
        )
        return DatasetInfo(name, names, tuple(colors), **values)
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: not found; it lists the class names in the order of "
            "their ids (datasets/README.md)"
        ) from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: want a list of names, of objects with name and color, "
            f"or an object with such a list as classes ({error!r})"
        ) from error


def _check(info, example):
    try:
        check_pair(example.image, example.label, info)
    except UserError as error:
        return f"{example.filename}: {error}"
    return None


def _folder(source, name):
    path = pathlib.Path(source, name)
    if not path.is_dir():
        raise UserError(
            f"{path}: no such directory; want images/ and labels/ in {source}"
        )
    return path


def _visible(folder):
    return sorted(p for p in folder.iterdir() if not p.name.startswith("."))


def _by_stem(folder, suffixes):
    """Files below a folder by their relative path without the suffix."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.name.startswith("."):
            continue
        if path.suffix.lower() not in suffixes:
            raise UserError(f"{path}: want one of {', '.join(suffixes)} here")
        stem = path.relative_to(folder).with_suffix("")
        if stem in files:
            raise UserError(
                f"{path}: has the name of {files[stem].name}; keep one of them"
            )
        files[stem] = path
    return files


def _palette_to_ids(label):
    """Stores the indices of a palette PNG as its gray values."""
    header = decoding.png_header(label)
    if header is None or header.color_type != 3:
        return label
    try:
        decoding.decode_label(label)
    except tf.errors.OpError as error:
        # Pillow would return what it can of a damaged file.
        raise OSError("the label cannot be decoded") from error
    ids = np.asarray(Image.open(io.BytesIO(label)))
    buffer = io.BytesIO()
    Image.fromarray(ids).save(buffer, "PNG")
    return buffer.getvalue()

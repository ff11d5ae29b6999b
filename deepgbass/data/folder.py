"""Your own data: a folder of images, one of labels, a list of classes.

    source/images/[train/]a.jpg      JPEG, PNG, BMP or WebP
    source/labels/[train/]a.png      class ids, 8 bits a pixel, same size
    source/classes.json

`classes.json` is a list of names, or of objects with `name` and `color`, or
an object with such a list as `classes` and the id of ignored pixels as
`ignore_label` (255 if it is not there). Files directly in `images/` are the
split `train`; sub-folders of `images/` are the splits otherwise. `encoding`
says which files are kept byte for byte and which are encoded anew.
"""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

from deepgbass.data import encoding
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.label_ids import read_file
from deepgbass.data.record import Example
from deepgbass.data.source import Source
from deepgbass.data.verify import raise_problems
from deepgbass.errors import UserError

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_LABEL_SUFFIXES = (".png", ".bmp", ".webp")


class Pair(NamedTuple):
    """An image file and its label file; an item of a source."""

    name: str
    image: pathlib.Path
    label: pathlib.Path

    @property
    def files(self) -> tuple[pathlib.Path, ...]:
        """The image and the label."""
        return self.image, self.label

    def read(self) -> Example:
        """Both files as records hold them.

        Raises:
            UserError: A file cannot be read or is of the wrong kind.
        """
        return Example(
            self.name,
            _read(self.image, encoding.storable_image),
            _read(self.label, encoding.storable_label),
        )


def open_folder(path) -> Source:
    """Finds the images and labels in the layout of this module's page.

    Args:
        path: Directory with `images/`, `labels/` and `classes.json`; its
            name becomes that of the data set.

    Raises:
        UserError: The layout or the classes are wrong.
    """
    path = pathlib.Path(path)
    folders = find_splits(path)
    info = read_classes(path / "classes.json", path.resolve().name)
    return Source(info, pair_splits(folders))


def pair_splits(
    folders: Mapping[str, tuple[pathlib.Path, pathlib.Path]],
) -> dict[str, list[Pair]]:
    """The items of each split, given its folders of images and labels.

    Raises:
        UserError: As of `pair_files`.
    """
    return {split: pair_files(*pair) for split, pair in folders.items()}


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
    label_by_stem = _by_stem(labels, _LABEL_SUFFIXES)
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


def _read(path, make_storable):
    encoded = read_file(path)
    try:
        return make_storable(encoded)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _unreadable(error, path):
    reason = error.strerror or error
    return UserError(f"{error.filename or path}: cannot be read: {reason}")


def _folder(source, name):
    path = pathlib.Path(source, name)
    if not path.is_dir():
        raise UserError(
            f"{path}: no such directory; want images/ and labels/ in {source}"
        )
    return path


def _visible(folder):
    try:
        paths = list(folder.iterdir())
    except OSError as error:
        raise _unreadable(error, folder) from error
    return sorted(p for p in paths if not p.name.startswith("."))


def _by_stem(folder, suffixes):
    """Files below a folder by their relative path without the suffix."""
    files = {}
    for path in sorted(_walk(folder)):
        if path.suffix.lower() not in suffixes:
            raise UserError(f"{path}: want one of {', '.join(suffixes)} here")
        stem = path.relative_to(folder).with_suffix("")
        if stem in files:
            raise UserError(
                f"{path}: has the name of {files[stem].name}; keep one of them"
            )
        files[stem] = path
    return files


def _walk(folder):
    """All visible files below a folder, also behind links to folders."""

    def stop(error):
        raise _unreadable(error, folder)

    for root, _, names in os.walk(folder, onerror=stop, followlinks=True):
        for name in names:
            if not name.startswith("."):
                yield pathlib.Path(root, name)

"""Cityscapes from its official folders.

    leftImg8bit/{train,val}/CITY/CITY_SEQ_FRAME_leftImg8bit.png
    gtFine/{train,val}/CITY/CITY_SEQ_FRAME_gtFine_labelIds.png

In place of `labelIds.png`, `labelTrainIds.png` or `polygons.json` will do; the
first that is there counts. The split `test` is left out: its published labels
have no classes, only what lies outside of the scored region.
"""

import dataclasses
import json
import pathlib

import numpy as np
from PIL import Image, ImageDraw

from deepgbass.data import decoding
from deepgbass.data.cityscapes_ids import (
    CITYSCAPES,
    FROM_LABEL_IDS,
    FROM_TRAIN_IDS,
    LABELS,
)
from deepgbass.data.encoding import encode_png
from deepgbass.data.label_ids import decode_ids, map_ids, read_file
from deepgbass.data.record import Example
from deepgbass.data.source import Source
from deepgbass.data.verify import raise_problems
from deepgbass.errors import UserError

_SPLITS = ("train", "val")
_IMAGE = "_leftImg8bit.png"
_LABEL_IDS = "_gtFine_labelIds.png"
_TRAIN_IDS = "_gtFine_labelTrainIds.png"
_POLYGONS = "_gtFine_polygons.json"
# In the order in which they are taken.
_LABELS = (_LABEL_IDS, _TRAIN_IDS, _POLYGONS)
_ID_BY_NAME = {label.name: label.id for label in LABELS}


@dataclasses.dataclass(frozen=True)
class CityscapesItem:
    """One frame, as `source.Item`; `files` are the image and the label."""

    name: str
    files: tuple[pathlib.Path, pathlib.Path]

    def read(self) -> Example:
        """The image as it is and the label in train ids.

        Raises:
            UserError: A file is missing, broken or of the wrong kind.
        """
        image_path, path = self.files
        image, label = map(read_file, self.files)
        if path.name.endswith(_POLYGONS):
            header = decoding.png_header(image)
            if header is None:
                raise UserError(f"{image_path}: is not a PNG")
            size = header.width, header.height
            ids = map_ids(draw_polygons(label, size, path), FROM_LABEL_IDS, "")
        elif path.name.endswith(_TRAIN_IDS):
            ids = map_ids(
                decode_ids(label, path), FROM_TRAIN_IDS, path, _swapped("")
            )
        else:
            ids = map_ids(
                decode_ids(label, path), FROM_LABEL_IDS, path, _swapped("Train")
            )
        return Example(self.name, image, encode_png(ids))


def open_cityscapes(path) -> Source:
    """Finds the images and fine labels of `train` and `val`.

    Args:
        path: The folder that holds `leftImg8bit/` and `gtFine/`.

    Returns:
        The splits that are there, sorted by city and frame, in 19 classes;
        all other ids become 255 and are ignored.

    Raises:
        UserError: The folder is another one, or an image has no label or a
            label no image.
    """
    path = pathlib.Path(path)
    _check_root(path)
    splits = {}
    for split in _SPLITS:
        images, labels = path / "leftImg8bit" / split, path / "gtFine" / split
        if images.is_dir() or labels.is_dir():
            splits[split] = _pair(images, labels)
    if not splits:
        raise UserError(
            f"{path / 'leftImg8bit'}: has neither train/ nor val/ (the labels "
            "of test/ are not public, so it is not converted)"
        )
    return Source(CITYSCAPES, splits)


def draw_polygons(encoded: bytes, size: tuple[int, int], place) -> np.ndarray:
    """Draws an annotation in the order of its objects, later ones on top.

    As in the official label images, deleted objects and license plates are
    left out, groups (`cargroup`) count as their kind, and what no polygon
    covers is unlabelled.

    Args:
        encoded: A `polygons.json` file.
        size: Width and height of the image.
        place: What a message names.

    Returns:
        Label ids, uint8 `(height, width)`.

    Raises:
        UserError: The file is malformed, names an unknown label, or is for
            another size.
    """
    try:
        annotation = json.loads(encoded)
        drawn = annotation["imgWidth"], annotation["imgHeight"]
        if drawn != size:
            raise UserError(
                f"{place}: is for {drawn[0]}x{drawn[1]} pixels, the image has "
                f"{size[0]}x{size[1]} (width x height)"
            )
        picture = Image.new("L", size, _ID_BY_NAME["unlabeled"])
        draw = ImageDraw.Draw(picture)
        for thing in annotation["objects"]:
            if thing.get("deleted"):
                continue
            name = thing["label"]
            if name not in _ID_BY_NAME:
                name = name.removesuffix("group")
            if name not in _ID_BY_NAME:
                raise UserError(
                    f"{place}: has the label {thing['label']!r}, which "
                    "Cityscapes does not have"
                )
            if _ID_BY_NAME[name] >= 0:
                points = [(x, y) for x, y in thing["polygon"]]
                draw.polygon(points, fill=_ID_BY_NAME[name])
    except UserError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{place}: is no annotation of Cityscapes ({error!r})"
        ) from error
    return np.asarray(picture)


def _swapped(kind):
    return f"; it may be a label{kind}Ids image under another name"


def _check_root(path):
    """Refuses the usual wrong folders, each with the right one."""
    if not path.is_dir():
        raise UserError(f"{path}: no such directory")
    folders = ("leftImg8bit", "gtFine")
    if path.name in folders and not (path / path.name).is_dir():
        raise UserError(
            f"{path}: is {path.name}/ itself; give the folder that holds both "
            f"leftImg8bit/ and gtFine/, {path.absolute().parent}"
        )
    missing = [name for name in folders if not (path / name).is_dir()]
    if not missing:
        return
    below = {
        name: [found.parent for found in sorted(path.glob(f"*/{name}"))]
        for name in folders
    }
    if both := [p for p in below["leftImg8bit"] if p in below["gtFine"]]:
        raise UserError(f"{path}: is one folder too high; give {both[0]}")
    if found := below[missing[0]]:
        raise UserError(
            f"{path}: {missing[0]}/ is in {found[0]}; move leftImg8bit/ and "
            "gtFine/ into one folder and give that"
        )
    coarse = " (gtCoarse/ is not used)" if (path / "gtCoarse").is_dir() else ""
    raise UserError(
        f"{path}: has no {missing[0]}/{coarse}; want the folder into which "
        "leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip were unpacked"
    )


def _pair(images, labels):
    """The items of one split, by city and frame."""
    for folder in (images, labels):
        if not folder.is_dir():
            raise UserError(
                f"{folder}: no such directory; the images and the labels of "
                f"{folder.name} go together"
            )
    image_by_frame = _by_frame(images, _IMAGE)
    label_by_frame = {}
    for suffix in reversed(_LABELS):
        label_by_frame |= _by_frame(labels, suffix)
    if not image_by_frame and not label_by_frame:
        raise UserError(
            f"{images}: holds no frames; want CITY/CITY_SEQ_FRAME{_IMAGE}"
        )
    problems = [
        f"{path} has no label: {_missing(labels, frame)}"
        for frame, path in image_by_frame.items()
        if frame not in label_by_frame
    ]
    raise_problems(str(images), len(image_by_frame), problems)
    problems = [
        f"{path} has no image {images / frame}{_IMAGE}"
        for frame, path in sorted(label_by_frame.items())
        if frame not in image_by_frame
    ]
    raise_problems(str(labels), len(label_by_frame), problems)
    return tuple(
        CityscapesItem(pathlib.Path(f).name, (path, label_by_frame[f]))
        for f, path in image_by_frame.items()
    )


def _by_frame(folder, suffix):
    """The files with this ending by `CITY/CITY_SEQ_FRAME`."""
    return {
        path.relative_to(folder).as_posix().removesuffix(suffix): path
        for path in sorted(folder.glob(f"*/*{suffix}"))
        if not path.name.startswith(".")
    }


def _missing(labels, frame):
    if (labels / f"{frame}_gtFine_color.png").exists():
        return (
            f"{frame}_gtFine_color.png is a picture for people and cannot be "
            f"used; unpack {frame}{_LABEL_IDS} too"
        )
    return f"want {labels / frame}{_LABEL_IDS}"

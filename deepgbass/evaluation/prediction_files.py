"""Predicted label maps as PNGs, in train ids or in the data set's own."""

import pathlib

import numpy as np

from deepgbass.data.cityscapes_ids import CITYSCAPES
from deepgbass.data.encoding import encode_png
from deepgbass.data.original_ids import original_ids
from deepgbass.errors import UserError
from deepgbass.files import write_atomic

# How Cityscapes' own label images end; its server asks for PNGs whose names
# begin as its images' do.
_CITYSCAPES_ENDS = {
    "train_ids": "_labelTrainIds",
    "dataset_ids": "_labelIds",
}
_CITYSCAPES_IMAGE = "_leftImg8bit"
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


class PredictionFiles:
    """Writes the predictions of a split; safe in any thread.

    Args:
        folder: its subfolder `ids` is written to.
        info: `DatasetInfo`.
        ids: "train_ids", 0 to the number of classes less 1, or "dataset_ids",
            those of `original_ids`.
        owners: dict of path -> index of predictions that are there already.
    """

    def __init__(self, folder, info, ids, owners=()):
        self._folder = pathlib.Path(folder)
        self._ids = ids
        self._table = np.arange(info.num_classes, dtype=np.uint8)
        if ids == "dataset_ids":
            self._table = original_ids(info)
        self._is_cityscapes = info.class_names == CITYSCAPES.class_names
        self._owners = dict(owners)

    def path(self, index, name):
        """Where an image's prediction goes: a path below the folder.

        Args:
            index: the image's place in the split.
            name: of its file; without one, the index serves.
        """
        path = pathlib.PurePosixPath(name)
        # Only endings of images: a frame may be called "video.0001".
        if path.suffix.lower() in _IMAGE_SUFFIXES:
            path = path.with_suffix("")
        parts = [part for part in path.parts if part not in ("/", "..")]
        *folders, stem = parts or [f"{index:06}"]
        if self._is_cityscapes:
            stem = stem.removesuffix(_CITYSCAPES_IMAGE)
            stem += _CITYSCAPES_ENDS[self._ids]
        return "/".join([self._ids, *folders, f"{stem}.png"])

    def write(self, index, name, prediction):
        """Writes a prediction.

        Args:
            index, name: as in `path`.
            prediction: integers `(height, width)`, train ids.

        Raises:
            UserError: another image's prediction has this path.
        """
        path = self.path(index, name)
        if self._owners.setdefault(path, index) != index:
            raise UserError(
                f"the predictions of two images would both be {path}; give "
                "the images names of their own and convert the data set again"
            )
        write_atomic(self._folder / path, encode_png(self._table[prediction]))

"""What `predict` makes of an image: its name, how it looks, its label map."""

import pathlib

from deepgbass.data.original_ids import original_ids
from deepgbass.reports.visualize import (
    draw_borders,
    overlay,
    save_png,
    side_by_side,
)

VIEWS = ("overlay", "side_by_side")
LABELS = ("train_ids", "dataset_ids")


class Results:
    """Where the results of a name go, and how they look.

    Args:
        folder: of all results.
        view: one of `VIEWS`.
        boundaries: whether to draw borders.
        labels: None, or one of `LABELS`.

    Attributes:
        done: images and frames of which all was written.
    """

    def __init__(self, folder, view, boundaries, labels):
        self.folder = pathlib.Path(folder)
        self._view, self._boundaries, self._labels = view, boundaries, labels
        self.done = 0

    def paths(self, name, suffix=".png"):
        """What is made of a name: the picture and, if wanted, the labels.

        A video (`suffix` ".mp4") has a folder of label maps.
        """
        ends = [self._view + suffix]
        if self._labels:
            ends.append("labels" + (".png" if suffix == ".png" else ""))
        name = self.folder / name
        return [name.with_name(f"{name.name}_{end}") for end in ends]

    def is_result(self, path):
        """Whether an image lies here because an earlier call has made it."""
        parts = {f"_{part}" for part in (*VIEWS, "labels")}
        folders = path.resolve().parents
        return self.folder.resolve() in folders and any(
            path.stem.endswith(part) or path.parent.name.endswith(part)
            for part in parts
        )

    def picture(self, image, label, info):
        """The view of an image, uint8 RGB."""
        picture = overlay(image, label, info.colors)
        if self._boundaries:
            picture = draw_borders(picture, label)
        if self._view == "side_by_side":
            picture = side_by_side(image, picture)
        return picture

    def save_labels(self, path, label, info):
        """Writes a label map in the ids that are wanted."""
        if self._labels == "dataset_ids":
            label = original_ids(info)[label]
        save_png(path, label.astype("uint8"))

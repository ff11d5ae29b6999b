"""What one split is like, summed up record by record."""

import collections
import pathlib
from typing import NamedTuple

import numpy as np

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.label_quality import LabelQuality, mean_width
from deepgbass.data.salvage import Place


class Hashes(NamedTuple):
    """Digests that tell equal images; None for what cannot be decoded."""

    file: bytes
    pixels: bytes | None = None
    label: bytes | None = None


class Entry(NamedTuple):
    """What is remembered of a record.

    Attributes:
        name: The name in the record.
        path: Its shard.
        place: Where it lies there.
        hashes: Of its image and label.
        ignored: Share of its pixels that are ignored, 0..1; None if the
            record is bad.
    """

    name: str
    path: pathlib.Path
    place: Place
    hashes: Hashes
    ignored: float | None = None

    def __str__(self):
        return describe(self.path, self.place, self.name)


def describe(path: pathlib.Path, place: Place, name: str = "") -> str:
    """What messages call a record."""
    shard = f"{path.name}, byte {place.start}"
    return f"{name} ({shard})" if name else shard


class SplitAudit:
    """The sums over the good records of a split, and all its entries.

    Args:
        name: Of the split.
        info: Description of the data set.

    Attributes:
        entries: `Entry` of every record whose image could be read.
        bad: Number of records that are of no use.
        sizes: Number of images of each height and width.
        pixels: Pixels of each class, int64 `(classes,)`.
        images: Images that hold each class, int64 `(classes,)`.
        boundary: Boundary pixels of each class, int64 `(classes,)`.
        hidden: Those of them that face ignored pixels alone.
        ignored: Number of ignored pixels.
        fullest: The entry with most pixels of each class, by class.
    """

    def __init__(self, name: str, info: DatasetInfo):
        self.name = name
        self._info = info
        self.entries: list[Entry] = []
        self.bad = 0
        self.sizes = collections.Counter()
        classes = info.num_classes
        self.pixels, self.images, self.boundary, self.hidden = np.zeros(
            (4, classes), np.int64
        )
        self.ignored = 0
        self.fullest: dict[int, Entry] = {}
        self._most = np.zeros(classes, np.int64)
        self._border = 0.0

    def add(self, entry: Entry, size, counts, quality: LabelQuality) -> None:
        """Adds a good record.

        Args:
            entry: The record.
            size: Height and width in pixels.
            counts: Number of pixels of each stored id, `(256,)`.
            quality: Measurements of its label.
        """
        self.entries.append(entry)
        self.sizes[tuple(size)] += 1
        counts = counts.copy()
        self.ignored += int(counts[self._info.ignore_label])
        counts[self._info.ignore_label] = 0
        classes = counts[: self._info.num_classes]
        self.pixels += classes
        self.images += classes > 0
        self.boundary += quality.boundary[: len(classes)]
        self.hidden += quality.hidden[: len(classes)]
        self._border += quality.ignored_border
        for index in np.flatnonzero(classes > self._most).tolist():
            self._most[index] = classes[index]
            self.fullest[index] = entry

    @property
    def good(self) -> list[Entry]:
        """The entries of the records that can be used, in order."""
        return [entry for entry in self.entries if entry.ignored is not None]

    @property
    def shares(self) -> np.ndarray:
        """Each class's share of the labelled pixels, float `(classes,)`."""
        return self.pixels / max(self.pixels.sum(), 1)

    @property
    def ignored_share(self) -> float:
        """The share of all pixels that are ignored, 0..1."""
        return self.ignored / max(self.ignored + int(self.pixels.sum()), 1)

    @property
    def ignored_width(self) -> float | None:
        """The mean width of ignored bands in pixels; None without any."""
        return mean_width(self.ignored, self._border)

    @property
    def hidden_share(self) -> float:
        """The share of boundary pixels that face ignored pixels alone."""
        return int(self.hidden.sum()) / max(int(self.boundary.sum()), 1)

    def most_ignored(self, count: int) -> list[Entry]:
        """Good entries with ignored pixels, the greatest share first."""
        some = [entry for entry in self.good if entry.ignored]
        return sorted(some, key=lambda entry: -entry.ignored)[:count]

    def rarest(self, count: int) -> list[int]:
        """The classes that occur, those with the fewest pixels first."""
        seen = np.flatnonzero(self.pixels).tolist()
        return sorted(seen, key=lambda index: self.pixels[index])[:count]

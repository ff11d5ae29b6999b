"""What lies in a data set: its shards, and what was counted in them.

Converters write this into `dataset.json`. A data set that others wrote may
do without.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping

import numpy as np

from deepgbass.errors import UserError


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records.

    Attributes:
        name: Its file name.
        records: Number of images.
        size: Bytes of the file.
        sha256: Its SHA-256, hexadecimal.
    """

    name: str
    records: int
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Statistics:
    """What the images and labels of one split are like.

    Attributes:
        min_size: Least height and least width of an image in pixels.
        max_size: Greatest height and greatest width.
        common_size: Height and width that most images have.
        pixels: Number of pixels of each class.
        ignored: Number of ignored pixels.
    """

    min_size: tuple[int, int]
    max_size: tuple[int, int]
    common_size: tuple[int, int]
    pixels: tuple[int, ...]
    ignored: int

    def __post_init__(self):
        # Lists, as JSON gives them, would make equal statistics differ.
        for name in ("min_size", "max_size", "common_size", "pixels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


def count_statistics(
    sizes: Mapping[tuple[int, int], int],
    ids: np.ndarray,
    num_classes: int,
    ignore_label: int,
) -> Statistics:
    """Sums up a split.

    Args:
        sizes: Number of images of each height and width.
        ids: Number of pixels of each stored id, `(256,)`.
        num_classes: The ids below it are classes,
        ignore_label: but for this one, which counts as ignored.
    """
    pixels = np.array(ids)
    ignored = int(pixels[ignore_label])
    pixels[ignore_label] = 0
    # Of equally common sizes the smallest, so that the order of the images
    # does not matter.
    common = min(sizes, key=lambda size: (-sizes[size], size))
    return Statistics(
        min_size=tuple(map(min, zip(*sizes, strict=True))),
        max_size=tuple(map(max, zip(*sizes, strict=True))),
        common_size=common,
        pixels=tuple(pixels[:num_classes].tolist()),
        ignored=ignored,
    )


def hash_file(path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_shards(info, data_dir, split: str, *, contents=False) -> None:
    """Compares the shards of a split with what `dataset.json` says of them.

    Args:
        info: `DatasetInfo` of the data set; without a list of shards,
            nothing is checked.
        data_dir: Directory of the data set.
        split: Name of the split.
        contents: Whether to read the shards and compare their SHA-256, not
            only their sizes.

    Raises:
        UserError: A shard is missing or is not the one described.
    """
    for shard in info.shards.get(split, ()):
        path = pathlib.Path(data_dir, shard.name)
        try:
            size = path.stat().st_size
            if size != shard.size:
                raise UserError(
                    f"{path}: {size} bytes, but dataset.json says "
                    f"{shard.size}: damaged or of another data set, convert "
                    "it again"
                )
            if contents and hash_file(path) != shard.sha256:
                raise UserError(
                    f"{path}: its SHA-256 is not the one in dataset.json: "
                    "changed since or of another data set, convert it again"
                )
        except OSError as error:
            raise UserError(
                f"{path}: cannot be read: {error.strerror}"
            ) from error

"""The embedded data set: scenes that need no download."""

import dataclasses

import numpy as np

from deepgbass.data.conversion import convert
from deepgbass.data.dataset_info import IGNORE_LABEL, DatasetInfo
from deepgbass.data.encoding import encode_png
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.record import Example, serialize_example
from deepgbass.data.source import Source
from deepgbass.data.synthetic_scene import CLASS_NAMES, render_scene
from deepgbass.data.tfrecord import read_payload
from deepgbass.errors import UserError

SYNTHETIC = DatasetInfo(
    name="synthetic",
    class_names=CLASS_NAMES,
    colors=(
        (68, 68, 84),
        (238, 119, 51),
        (0, 119, 187),
        (51, 187, 238),
        (204, 51, 17),
        (238, 221, 130),
    ),
    ignore_label=IGNORE_LABEL,
)


@dataclasses.dataclass(frozen=True)
class Scene:
    """One scene, not drawn yet; an item of a source.

    Attributes:
        seed: That of the data set.
        split: "train" or "val".
        number: Position in the split.
        size: Height and width in pixels.
    """

    seed: int
    split: str
    number: int
    size: tuple[int, int]
    files = ()

    @property
    def name(self) -> str:
        """What predictions call it."""
        return f"scene_{self.number:04d}.png"

    def read(self) -> Example:
        """Draws the scene."""
        stream = ("train", "val").index(self.split)
        rng = np.random.default_rng((self.seed, stream, self.number))
        return Example(
            self.name, *map(encode_png, render_scene(rng, self.size))
        )


def open_synthetic(
    *, train: int = 160, val: int = 40, size=(96, 128), seed: int = 0
) -> Source:
    """The splits `train` and `val`; arguments as of `write_synthetic`."""
    splits = {
        split: [Scene(seed, split, i, tuple(size)) for i in range(count)]
        for split, count in {"train": train, "val": val}.items()
    }
    return Source(SYNTHETIC, splits)


def write_synthetic(
    data_dir, *, train: int = 160, val: int = 40, size=(96, 128), seed: int = 0
) -> DatasetInfo:
    """Writes the splits `train` and `val`; an identical set is kept.

    Args:
        data_dir: Directory for the records. An older set of these classes
            in it is replaced; any other is left alone.
        train: Number of training scenes.
        val: Number of validation scenes.
        size: Height and width of the scenes in pixels.
        seed: Equal seeds give equal scenes, whatever their number.

    Returns:
        The description that was written.

    Raises:
        UserError: `data_dir` holds anything else or cannot be written.
    """
    source = open_synthetic(train=train, val=val, size=size, seed=seed)
    if info := _find(data_dir, source):
        return info
    try:
        # The name alone proves nothing: a user's folder may have it too.
        there = DatasetInfo.load(data_dir)
        ours = dataclasses.replace(there, splits={}) == SYNTHETIC
    except UserError:
        ours = False
    return convert(source, data_dir, num_shards=2, overwrite=ours)


def _find(data_dir, source):
    """This very set if it is there, told by the first scene of a split."""
    counts = {split: len(scenes) for split, scenes in source.splits.items()}
    info = dataclasses.replace(SYNTHETIC, splits=counts)
    try:
        for split, scenes in source.splits.items():
            dataset = load_dataset(data_dir, split)
            first = read_payload(
                dataset.paths[0],
                dataset.records.offset[0],
                dataset.records.length[0],
            )
            if dataset.info != info or first != serialize_example(
                scenes[0].read()
            ):
                return None
    except UserError:
        return None
    return dataset.info

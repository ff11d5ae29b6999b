"""ADE20K-32: the 31 most frequent classes of SceneParsing, and the rest.

    images/{training,validation}/ADE_train_00000001.jpg
    annotations/{training,validation}/ADE_train_00000001.png

Zhou et al.: Scene parsing through ADE20K dataset (2017). Annotations hold 0
for unlabelled pixels and the classes 1..150 by falling frequency. What
becomes of 0 and of 32..150 is a protocol; numbers of different protocols do
not compare.

The class list, with SceneParsing's names and colours, is `ade20k32.csv`.
"""

import csv
import dataclasses
import pathlib

from deepgbass.data.dataset_info import IGNORE_LABEL, DatasetInfo
from deepgbass.data.encoding import encode_png
from deepgbass.data.label_ids import decode_ids, map_ids, read_file
from deepgbass.data.record import Example
from deepgbass.data.source import Source
from deepgbass.data.verify import raise_problems
from deepgbass.errors import UserError

_CLASSES = pathlib.Path(__file__).with_name("ade20k32.csv")
_LAST_CLASS = 31
_LAST_ID = 150
_SPLITS = {"training": "train", "validation": "val"}
_WANT = (
    "want SceneParsing (ADEChallengeData2016, ids 0..150), not the full ADE20K "
    "release with its RGB-coded *_seg.png"
)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What becomes of the pixels outside of the 31 classes.

    Attributes:
        rest: The id that they are stored with.
        ignore_label: The stored id that counts nowhere.
    """

    rest: int
    ignore_label: int


PROTOCOLS = {
    # DeepGBASS, section IV.A: "Other" is a class like any, and trained.
    "paper": Protocol(rest=0, ignore_label=IGNORE_LABEL),
    # MLPerf's mobile_open: id 0 has no weight in training and evaluation.
    "mlperf": Protocol(rest=0, ignore_label=0),
    # TensorFlow Model Garden's EdgeTPU project: output 0 is never trained.
    "garden": Protocol(rest=IGNORE_LABEL, ignore_label=IGNORE_LABEL),
}


@dataclasses.dataclass(frozen=True)
class Ade20kItem:
    """One photograph, as `source.Item`; `files` are image and annotation."""

    name: str
    files: tuple[pathlib.Path, pathlib.Path]
    protocol: str

    def read(self) -> Example:
        """The image as it is and the label by the protocol.

        Raises:
            UserError: A file is missing, broken or of the wrong kind.
        """
        path = self.files[1]
        image, label = map(read_file, self.files)
        ids = decode_ids(label, path, f"; {_WANT}")
        rest = PROTOCOLS[self.protocol].rest
        new_ids = {
            i: i if 1 <= i <= _LAST_CLASS else rest for i in range(_LAST_ID + 1)
        }
        label = encode_png(map_ids(ids, new_ids, path, f"; {_WANT}"))
        return Example(self.name, image, label)


def open_ade20k(path, *, protocol: str = "paper") -> Source:
    """Finds the images and annotations of SceneParsing.

    Args:
        path: The folder that holds `images/` and `annotations/`.
        protocol: A key of `PROTOCOLS`. It is stored in the description and
            decides the ignored id.

    Returns:
        The splits that are there, as `train` and `val`, sorted by name; 32
        classes, of which 0 is "other".

    Raises:
        UserError: The protocol is unknown, the folder is another one or the
            full release, or an image has no annotation or the reverse.
    """
    path = pathlib.Path(path)
    if protocol not in PROTOCOLS:
        raise UserError(
            f"protocol: {protocol!r} is none of {', '.join(PROTOCOLS)}"
        )
    _check_root(path)
    splits = {}
    for folder, split in _SPLITS.items():
        images, labels = path / "images" / folder, path / "annotations" / folder
        if images.is_dir() or labels.is_dir():
            splits[split] = _pair(images, labels, protocol)
    if not splits:
        raise UserError(
            f"{path / 'images'}: has neither training/ nor validation/"
        )
    return Source(describe(protocol), splits)


def describe(protocol: str) -> DatasetInfo:
    """ADE20K-32 under a protocol, without its splits."""
    with _CLASSES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return DatasetInfo(
        name="ade20k32",
        class_names=tuple(row["name"] for row in rows),
        colors=tuple(
            tuple(int(row[c]) for c in ("red", "green", "blue")) for row in rows
        ),
        ignore_label=PROTOCOLS[protocol].ignore_label,
        protocol=protocol,
    )


def _check_root(path):
    """Refuses the full release and the usual wrong folders."""
    if not path.is_dir():
        raise UserError(f"{path}: no such directory")
    folders = ("images", "annotations")
    missing = [name for name in folders if not (path / name).is_dir()]
    if not missing:
        return
    # Not below any other folder, which may be a whole disk.
    images = path if path.name == "images" else path / "images"
    if seg := next(images.rglob("*_seg.png"), None):
        raise UserError(f"{seg}: is of the full ADE20K release; {_WANT}")
    if path.name in folders and (path / "training").is_dir():
        raise UserError(
            f"{path}: is {path.name}/ itself; give the folder that holds both "
            f"images/ and annotations/, {path.absolute().parent}"
        )
    below = [p for p in sorted(path.iterdir()) if (p / "annotations").is_dir()]
    if below:
        raise UserError(f"{path}: is one folder too high; give {below[0]}")
    raise UserError(f"{path}: has no {missing[0]}/; {_WANT}")


def _pair(images, labels, protocol):
    """The items of one split by name."""
    for folder in (images, labels):
        if not folder.is_dir():
            raise UserError(
                f"{folder}: no such directory; the images and the annotations "
                f"of {folder.name} go together"
            )
        scenes = [p for p in sorted(folder.iterdir()) if p.is_dir()]
        if scenes:
            raise UserError(f"{scenes[0]}: is a folder by scene; {_WANT}")
    image_by_name = {p.stem: p for p in sorted(images.glob("[!.]*.jpg"))}
    label_by_name = {p.stem: p for p in sorted(labels.glob("[!.]*.png"))}
    if not image_by_name and not label_by_name:
        raise UserError(f"{images}: holds no images; want ADE_*.jpg")
    for name, path in label_by_name.items():
        if name.endswith("_seg"):
            raise UserError(f"{path}: is of the full ADE20K release; {_WANT}")
    problems = [
        f"{path} has no annotation {labels / name}.png"
        for name, path in image_by_name.items()
        if name not in label_by_name
    ]
    raise_problems(str(images), len(image_by_name), problems)
    problems = [
        f"{path} has no image {images / name}.jpg"
        for name, path in label_by_name.items()
        if name not in image_by_name
    ]
    raise_problems(str(labels), len(label_by_name), problems)
    return tuple(
        Ade20kItem(name, (path, label_by_name[name]), protocol)
        for name, path in image_by_name.items()
    )

"""What a data set is: names, colours, the ignored id, the splits.

Every directory of TFRecords holds one `dataset.json`, written last, that says
how its label ids are to be read. A directory without it is not a data set.
"""

import dataclasses
import json
import pathlib

from deepgbass.data.manifest import Shard, Statistics
from deepgbass.errors import UserError
from deepgbass.files import write_atomic

# The id of an ignored pixel in memory, whatever id a data set stores for it.
IGNORE_LABEL = 255

FILE_NAME = "dataset.json"
# The folder, within that of a data set, in which a conversion is at work.
UNFINISHED = ".converting"


def default_colors(num_classes: int) -> tuple[tuple[int, int, int], ...]:
    """The PASCAL VOC colour map: distinct RGB triples, class 0 is black.

    The three lowest bits of an id go to the top bits of red, green and blue,
    the next three bits below them.

    Args:
        num_classes: Number of colours, 1..255.

    Returns:
        `num_classes` triples of integers in 0..255.
    """
    return tuple(
        tuple(
            sum(((i >> 3 * k + c) & 1) << 7 - k for k in range(3))
            for c in range(3)
        )
        for i in range(num_classes)
    )


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """The description of one data set.

    Args:
        name: What reports call it.
        class_names: One name a class; their order is the label id.
        colors: One RGB triple (0..255) a class. Defaults to the PASCAL VOC
            colour map.
        ignore_label: Id *stored in the records* for pixels that count
            nowhere; readers turn it into `IGNORE_LABEL`. An id below the
            number of classes makes that class an ignored one.
        splits: Number of images of each split.
        protocol: Which reading of the labels this is, where there are
            several, as of ADE20K-32; reports print it beside every number.
        statistics: What was counted in each split. Like the shards, it is no
            part of what a data set is: descriptions that differ in nothing
            else are equal.
        shards: The files of each split.

    Raises:
        UserError: A value is out of range or does not fit the others.
    """

    name: str
    class_names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...] = ()
    ignore_label: int = 255
    splits: dict[str, int] = dataclasses.field(default_factory=dict)
    protocol: str = ""
    statistics: dict[str, Statistics] = dataclasses.field(
        default_factory=dict, compare=False
    )
    shards: dict[str, tuple[Shard, ...]] = dataclasses.field(
        default_factory=dict, compare=False
    )

    def __post_init__(self):
        if isinstance(self.class_names, str):
            raise UserError("class_names: want a list of names, not a string")
        names = tuple(self.class_names)
        if not 1 <= len(names) <= 255 or not all(
            isinstance(name, str) and name for name in names
        ):
            raise UserError("class_names: want 1 to 255 names, none empty")
        if len(set(names)) < len(names):
            twice = sorted({n for n in names if names.count(n) > 1})
            raise UserError(f"class_names: {', '.join(twice)} appears twice")
        if not _is_byte(self.ignore_label):
            raise UserError(
                f"ignore_label: want an integer in 0..255, "
                f"not {self.ignore_label!r}"
            )
        colors = tuple(map(tuple, self.colors)) or default_colors(len(names))
        if len(colors) != len(names):
            raise UserError(
                f"colors: {len(colors)} colours for {len(names)} classes"
            )
        for name, color in zip(names, colors, strict=True):
            if len(color) != 3 or not all(map(_is_byte, color)):
                raise UserError(
                    f"colors: {list(color)} of {name}: want three integers "
                    "in 0..255"
                )
        if not isinstance(self.splits, dict) or not all(
            isinstance(count, int) and count > 0
            for count in self.splits.values()
        ):
            raise UserError("splits: want an object of name: number of images")
        if not isinstance(self.protocol, str):
            raise UserError(f"protocol: want a string, not {self.protocol!r}")
        # Lists, as JSON gives them, would make equal descriptions differ.
        object.__setattr__(self, "class_names", names)
        object.__setattr__(self, "colors", colors)
        object.__setattr__(self, "splits", dict(self.splits))
        object.__setattr__(self, "statistics", dict(self.statistics))
        shards = {split: tuple(x) for split, x in self.shards.items()}
        object.__setattr__(self, "shards", shards)

    @property
    def num_classes(self) -> int:
        """Number of classes, without the ignored id."""
        return len(self.class_names)

    def to_json(self) -> str:
        """The description as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "DatasetInfo":
        """The description that `to_json` wrote.

        Raises:
            UserError: Not JSON, a key is missing or unknown, or a value is
                out of range.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"not JSON: {error}") from error
        if not isinstance(values, dict):
            raise UserError("want a JSON object")
        fields = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - fields):
            raise UserError(f"unknown key {unknown[0]!r}")
        if missing := [k for k in ("name", "class_names") if k not in values]:
            raise UserError(f"no key {missing[0]!r}")
        try:
            for split, found in values.get("statistics", {}).items():
                values["statistics"][split] = Statistics(**found)
            for split, found in values.get("shards", {}).items():
                values["shards"][split] = [Shard(**shard) for shard in found]
            return cls(**values)
        except (AttributeError, TypeError) as error:
            raise UserError(f"a value has the wrong type: {error}") from error

    def save(self, data_dir) -> None:
        """Writes `dataset.json` into `data_dir`, whole or not at all."""
        write_atomic(pathlib.Path(data_dir, FILE_NAME), self.to_json())

    @classmethod
    def load(cls, data_dir) -> "DatasetInfo":
        """Reads `dataset.json` of `data_dir`.

        Raises:
            UserError: The file is missing or malformed.
        """
        path = pathlib.Path(data_dir, FILE_NAME)
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserError(
                f"{path}: not found: {_advice(data_dir)}"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read: {error}") from error
        except UserError as error:
            raise UserError(
                f"{path}: {error}; correct it or convert the data set again"
            ) from error


def is_unfinished(data_dir) -> bool:
    """Whether a conversion into this directory began and did not end."""
    data_dir = pathlib.Path(data_dir)
    return (data_dir / UNFINISHED).is_dir() and not (
        data_dir / FILE_NAME
    ).exists()


def _advice(data_dir):
    """What to do about a directory without a description."""
    if is_unfinished(data_dir):
        return "a conversion did not finish here, run it again"
    pattern = "-?????-of-?????.tfrecord"
    shards = pathlib.Path(data_dir).glob(f"*{pattern}")
    splits = sorted({path.name[: -len(pattern)] for path in shards})
    if not splits:
        return (
            "convert a data set into this directory first (datasets/README.md)"
        )
    example = {
        "name": "my_set",
        "class_names": ["road", "car"],
        "ignore_label": IGNORE_LABEL,
    }
    return (
        f"there are TFRecords of {', '.join(splits)}; write into it what "
        f"their label ids mean, such as {json.dumps(example)}"
    )


def _is_byte(value) -> bool:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return is_integer and 0 <= value <= 255

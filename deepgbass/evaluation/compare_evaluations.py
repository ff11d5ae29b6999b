"""Compares two stored evaluations: a table, and what chance explains of it."""

import dataclasses
import json
import math
import os
import pathlib

import rich.box
import rich.table

from deepgbass.errors import UserError
from deepgbass.evaluation import comparison
from deepgbass.evaluation.evaluator import MBF_NAMES
from deepgbass.evaluation.identity import SHARED, differences
from deepgbass.evaluation.store import METRICS, EvaluationStore
from deepgbass.metrics.labels import METRIC_LABELS
from deepgbass.progress import console

# A bootstrap of fewer images promises too much.
_FEW = 20


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two networks on the same images.

    Attributes:
        names: what to call them.
        images: number of images.
        differences: list of `comparison.Difference`.
    """

    names: tuple[str, str]
    images: int
    differences: list

    def rows(self):
        """A row for each metric: dicts of column -> text."""
        return [
            {
                "metric": METRIC_LABELS[found.metric],
                "A": f"{found.a:.3f}",
                "B": f"{found.b:.3f}",
                "B - A": f"{found.difference:+.4f}",
                f"{comparison.CONFIDENCE} % interval": (
                    f"{found.low:+.4f} to {found.high:+.4f}"
                ),
                "wins A:B": f"{found.wins_a}:{found.wins_b}",
                "ties": str(found.ties),
            }
            for found in self.differences
        ]

    def sentences(self):
        """What the intervals say, a sentence for each metric."""
        sentences = [self._sentence(found) for found in self.differences]
        if self.images < _FEW:
            sentences.append(
                f"Intervals from fewer than {_FEW} images are too narrow: "
                "measure more before you trust them."
            )
        return sentences

    def _sentence(self, found):
        name, (a, b) = METRIC_LABELS[found.metric], self.names
        if math.isnan(found.difference):
            return f"{name}: nothing to compare."
        if found.difference == found.low == found.high == 0:
            return f"{name}: {b} and {a} do not differ."
        more = "above" if found.difference > 0 else "below"
        text = f"{name}: {b} is {abs(found.difference):.4f} {more} {a}, "
        if found.is_beyond_chance:
            return (
                f"{text}which is beyond chance ({comparison.CONFIDENCE} % "
                f"interval over {self.images} images without 0)."
            )
        return (
            f"{text}which may be chance ({comparison.CONFIDENCE} % interval "
            f"over {self.images} images with 0 in it)."
        )

    def to_json(self):
        """All of it as JSON text."""
        values = {
            "a": self.names[0],
            "b": self.names[1],
            "images": self.images,
            "resamples": comparison.RESAMPLES,
            "confidence": comparison.CONFIDENCE / 100,
            "differences": [
                {
                    name: None if value != value else value
                    for name, value in dataclasses.asdict(found).items()
                }
                | {"is_beyond_chance": found.is_beyond_chance}
                for found in self.differences
            ],
            "sentences": self.sentences(),
        }
        return json.dumps(values, indent=2) + "\n"


def compare_folders(first, second):
    """Compares two evaluations that `resumable` made.

    Args:
        first, second: folders of results.

    Returns:
        `Comparison`.

    Raises:
        UserError: one is no evaluation or was not finished, or they are of
            other images.
    """
    stores = EvaluationStore(first), EvaluationStore(second)
    counts = [_finished(store) for store in stores]
    found = differences(
        *({key: store.identity[key] for key in SHARED} for store in stores)
    )
    if counts[0] != counts[1]:
        found.append(f"images measured ({counts[0]}, {counts[1]})")
    if found:
        raise UserError(
            f"{first} and {second} are not of the same images: they differ in "
            f"{', '.join(found)}; evaluate both on the same"
        )
    info = stores[0].info
    excluded = {info.ignore_label} & set(range(info.num_classes))
    both = []
    for store in stores:
        parts = [parts[:2] for _, parts in store.read(range(counts[0]))]
        confusions, boundaries = zip(*parts, strict=True)
        both.append(
            comparison.measured(confusions, boundaries, MBF_NAMES, excluded)
        )
    names = tuple(store.name for store in stores)
    if names[0] == names[1]:
        names = short_names(first, second)
    return Comparison(names, counts[0], comparison.compare(*both))


def short_names(first, second):
    """What tells two paths apart: their parts without the common ends.

    Of runs/a/export/int8.tflite and runs/b/export/int8.tflite, a and b.
    """
    paths = [pathlib.Path(path).resolve().parts for path in (first, second)]
    parts = list(paths)
    for _ in range(2):
        common = os.path.commonprefix(parts)
        # From the other end the second time, and so forwards again.
        parts = [part[len(common) :][::-1] for part in parts]
    return tuple(
        "/".join(part) or path[-1]
        for part, path in zip(parts, paths, strict=True)
    )


def print_comparison(compared):
    """Prints the table of a `Comparison`, and what it says."""
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, show_edge=False)
    rows = compared.rows()
    for name in rows[0]:
        justify = "left" if name == "metric" else "right"
        table.add_column(name, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*row.values())
    console.print(table)
    a, b = compared.names
    console.print(
        f"A: {a}; B: {b}; {compared.images} images, of which one wins those "
        "at which it is better"
    )
    for sentence in compared.sentences():
        console.print(sentence)


def _finished(store):
    """How many images a finished evaluation was of."""
    path = store.folder / METRICS
    try:
        return json.loads(path.read_text())["images"]
    except FileNotFoundError:
        raise UserError(
            f"{store.folder} holds an evaluation that was not finished "
            f"({len(store)} images); run it again, it goes on there"
        ) from None
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{path} is damaged; run the evaluation again"
        ) from None

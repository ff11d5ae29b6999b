"""Which borders between classes the prediction fails to meet."""

import collections
from dataclasses import dataclass

import numpy as np

from deepgbass.metrics.boundary_rule import DEFAULT, Tolerance
from deepgbass.metrics.label_maps import (
    check_pair,
    cleared,
    uncounted_classes,
)
from deepgbass.metrics.matching import squared_distances
from deepgbass.metrics.streaming import StreamingMetric


@dataclass(frozen=True)
class Border:
    """The border of two classes in the truth; lengths in pixel sides.

    Attributes:
        classes: the two ids, the lower first.
        length: pixel sides between a pixel of one and a 4-neighbour of the
            other.
        met: how many of them have a predicted side of the same two classes
            within the tolerance.
        instead: what is predicted at both sides of those not met: pairs of
            ids, in the order of `classes`, each with a length; the longest
            first. Two equal ids: there is no border at all.
    """

    classes: tuple[int, int]
    length: int
    met: int
    instead: tuple[tuple[tuple[int, int], int], ...]

    @property
    def lost(self):
        """Length that is not met."""
        return self.length - self.met

    @property
    def recall(self):
        """Share of the length that is met, 0..1."""
        return self.met / self.length


@dataclass(frozen=True)
class PairConfusionResult:
    """What `PairConfusion` measured.

    Attributes:
        borders: `Border` of every two classes that touch in the truth, those
            with the greatest lost length first.
        tolerance: `Tolerance`.
    """

    borders: tuple[Border, ...]
    tolerance: Tolerance

    @property
    def description(self):
        """What is measured, to stand beside the numbers."""
        return (
            "pixel sides with a predicted one of the same two classes "
            f"{self.tolerance.sign} {self.tolerance} away"
        )

    def table(self, class_names=None, rows=10):
        """The worst borders in plain text.

        Args:
            class_names: one name a class; by default the ids.
            rows: how many borders.

        Returns:
            str of up to `rows + 1` lines.
        """
        lines = [f"{'length':>9}{'met':>10}{'lost':>9}  border"]
        for border in self.borders[:rows]:
            line = (
                f"{border.length:9}{100 * border.recall:8.1f} %{border.lost:9}"
                f"  {_names(border.classes, class_names)}"
            )
            for predicted, _ in border.instead[:1]:
                line += f", mostly {_names(predicted, class_names)}"
            lines.append(line)
        return "\n".join(lines)

    def __str__(self):
        return f"{self.description}\n{self.table()}"


class PairConfusion(StreamingMetric):
    """Streaming: how much of the border of any two classes is met.

    A border is made of the sides between 4-neighbours of two classes, the
    points in their middle being compared; sides at ignored pixels are none,
    in truth and prediction alike.

    Args:
        num_classes: ids run from 0 to `num_classes - 1`.
        tolerance: `Tolerance`.
        ignore_label: pixels with this label are left out.
    """

    def __init__(self, num_classes, tolerance=DEFAULT, ignore_label=255):
        uncounted_classes(num_classes, ignore_label, ())
        self.num_classes = num_classes
        self.tolerance = tolerance
        self.ignore_label = ignore_label
        self.reset()

    def reset(self):
        self._met = collections.Counter()
        self._instead = collections.Counter()

    def measure(self, label, prediction):
        """Counts one image without adding it; safe in any thread.

        Args: as `update`.

        Returns:
            Two dicts for `add`: border (a number for two classes) -> length
            that is met, and the same with what is predicted instead.
        """
        label, prediction, valid = check_pair(
            label, prediction, self.num_classes, self.ignore_label
        )
        label, prediction = cleared(label, valid), cleared(prediction, valid)
        pairs, places, sides = _borders(label, self.num_classes)
        found = _borders(prediction, self.num_classes)
        # Sides lie between pixels: on a grid of twice the size, whole again.
        shape = 2 * label.shape[0], 2 * label.shape[1]
        squared = squared_distances(
            (pairs, places),
            found[:2],
            shape,
            2 * self.tolerance.pixels(label.shape),
        )
        met = self.tolerance.meets(squared / 4, label.shape)
        instead = pairs[~met]
        for side in sides:
            instead = instead * self.num_classes
            instead += prediction.ravel()[side[~met]]
        return _count(pairs[met]), _count(instead)

    def add(self, measured):
        for counter, counts in zip(
            (self._met, self._instead), measured, strict=True
        ):
            counter.update(counts)

    def result(self):
        """Returns `PairConfusionResult` for all images so far."""
        instead = collections.defaultdict(list)
        for code, length in self._instead.items():
            pair, predicted = divmod(code, self.num_classes**2)
            instead[pair].append((divmod(predicted, self.num_classes), length))
        borders = [
            Border(
                classes=divmod(pair, self.num_classes),
                length=self._met[pair] + sum(n for _, n in instead[pair]),
                met=self._met[pair],
                instead=tuple(sorted(instead[pair], key=lambda x: (-x[1], x))),
            )
            for pair in sorted({*self._met, *instead})
        ]
        borders.sort(key=lambda border: -border.lost)
        return PairConfusionResult(tuple(borders), self.tolerance)


def _borders(ids, num_classes):
    """The sides between pixels of different classes.

    Returns:
        int64 `(sides,)` each: a number for the two classes; index into the
        flat map of twice the size; and two, indices into the flat map of the
        pixel with the lower id and of the other.
    """
    width = ids.shape[1]
    sides = []
    for down, first, second in (
        (1, ids[:-1], ids[1:]),
        (0, ids[:, :-1], ids[:, 1:]),
    ):
        differ = (first != second) & (first >= 0) & (second >= 0)
        row, column = np.nonzero(differ)
        here = row * width + column
        there = here + (width if down else 1)
        place = (2 * row + down) * 2 * width + 2 * column + 1 - down
        sides.append((here, there, place))
    here, there, place = map(np.concatenate, zip(*sides, strict=True))
    one, other = ids.ravel()[here], ids.ravel()[there]
    low = np.where(one < other, here, there)
    high = np.where(one < other, there, here)
    pairs = np.minimum(one, other).astype(np.int64) * num_classes
    pairs += np.maximum(one, other)
    return pairs, place, (low, high)


def _count(codes):
    values, counts = np.unique(codes, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _names(pair, class_names):
    return " | ".join(class_names[i] if class_names else str(i) for i in pair)

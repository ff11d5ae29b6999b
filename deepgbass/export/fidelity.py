"""What an export costs: a network's float and exported form, side by side.

Both run on the same images. A drop is the float form's value less the
exported one's in percentage points: positive where the export lost.
"""

import collections
import dataclasses
import zlib

import numpy as np
import rich.box
import rich.table

from deepgbass.errors import UserError
from deepgbass.evaluation.evaluator import MBF_NAMES, evaluate
from deepgbass.export.sqnr import SqnrTable
from deepgbass.metrics.labels import METRIC_LABELS
from deepgbass.progress import console

_SHOWN = ("miou", *MBF_NAMES)
# Operators that a terminal shows.
WORST = 3


@dataclasses.dataclass(frozen=True)
class FidelityReport:
    """Float and exported form on the same images.

    Attributes:
        form: of the export, "int8".
        float_metrics: of the float form, as `deepgbass.evaluate` gives them.
        metrics: the same of the exported form.
        agreement: share of pixels, 0..1, that both give the same class,
            ignored ones included.
        sqnr: `SqnrTable`, or None for an export that is not quantised.
    """

    form: str
    float_metrics: dict
    metrics: dict
    agreement: float
    sqnr: SqnrTable | None = None

    @property
    def drops(self) -> dict:
        """Metric -> drop in points; None where it could not be measured."""
        return {
            name: _drop(self.float_metrics[name], self.metrics[name])
            for name in _SHOWN
        }

    @property
    def band_drops(self) -> dict:
        """Width of a distance band, pixels -> drop of its mIoU, points."""
        return {
            band["width"]: _drop(band["miou"], other["miou"])
            for band, other in zip(
                self.float_metrics["bands"], self.metrics["bands"], strict=True
            )
        }

    def summary(self) -> dict:
        """What a model's description says of it, for `json.dumps`."""
        return {
            "form": self.form,
            "images": self.metrics["images"],
            "split": self.metrics["split"],
            "drops": self.drops,
            "bands": [
                {"width": width, "miou_drop": drop}
                for width, drop in self.band_drops.items()
            ],
            "argmax_agreement": self.agreement,
            "sqnr": None if self.sqnr is None else self.sqnr.summary(),
        }

    def to_json(self) -> dict:
        """The same, with every operator and all metrics."""
        return {
            **self.summary(),
            "sqnr": None if self.sqnr is None else self.sqnr.to_json(),
            "metrics": {"float": self.float_metrics, self.form: self.metrics},
        }


def measure_fidelity(
    float_predict,
    predict,
    dataset,
    form="int8",
    *,
    sqnr=None,
    max_images=None,
    float_metrics=None,
) -> FidelityReport:
    """Measures both forms of a network on a split, each once.

    Args:
        float_predict: function of an image as `evaluate` takes it.
        predict: the same of the exported form.
        dataset: `SegmentationDataset`.
        form: name of the exported form.
        sqnr: `SqnrTable` for the report, or None.
        max_images: int or None. Only the first so many images.
        float_metrics: of the float form on these images, if it was evaluated
            before; it is then run for the comparison alone.

    Raises:
        UserError: see `evaluate`; `float_metrics` are of other images.
    """
    labels = collections.deque()
    if float_metrics is None:
        # Label maps of a whole split, hence packed.
        def remember(image):
            label = float_predict(image)
            packed = zlib.compress(label.astype(np.uint8), 1)
            labels.append((packed, label.shape))
            return label

        float_metrics = evaluate(remember, dataset, max_images)

        def reference(_):
            packed, shape = labels.popleft()
            values = np.frombuffer(zlib.decompress(packed), np.uint8)
            return values.reshape(shape)

    else:
        _check_same_images(float_metrics, dataset, max_images)
        reference = float_predict
    counts = np.zeros(2, np.int64)

    def compare(image):
        label = predict(image)
        counts[:] += np.sum(label == reference(image)), label.size
        return label

    metrics = evaluate(compare, dataset, max_images)
    agreement = float(counts[0] / counts[1])
    return FidelityReport(form, float_metrics, metrics, agreement, sqnr)


def print_fidelity(report: FidelityReport):
    """Prints metrics and drops, agreement, and the operators of most noise."""
    before, after = report.float_metrics, report.metrics
    forms = {"float": before, report.form: after}
    _print_forms(
        [METRIC_LABELS[name] for name in _SHOWN],
        {k: [m[name] for name in _SHOWN] for k, m in forms.items()},
        report.drops.values(),
    )
    _print_forms(
        [f"{width} px" for width in report.band_drops],
        {k: [b["miou"] for b in m["bands"]] for k, m in forms.items()},
        report.band_drops.values(),
    )
    console.print(
        f"%, {after['dataset']}, split {after['split']}, {after['images']}"
        f" images; px: mIoU {after['bands_rule']}; drop: points that"
        f" {report.form} lost"
    )
    console.print(f"Same class: {_percent(report.agreement)} % of pixels")
    if report.sqnr is not None:
        _print_sqnr(report.sqnr)


def _print_forms(columns, forms, drops):
    """A table: a row a form, and one of drops."""
    table = _table("form", *columns)
    for form, values in forms.items():
        table.add_row(form, *map(_percent, values))
    table.add_row("drop", *("-" if d is None else f"{d:+.2f}" for d in drops))
    console.print(table)


def _print_sqnr(sqnr):
    guided, worst = sqnr.guided_block, sqnr.worst_block
    words = "" if guided is None else f"deep guided block {guided.db:.1f} dB, "
    words += f"worst block {worst.block} {worst.db:.1f} dB"
    if sqnr.greatest_loss is not None:
        loss = sqnr.greatest_loss
        words += f", most lost at {loss.name} ({loss.lost_db:.1f} dB)"
    console.print(f"\nSignal to noise ({sqnr.images} images): {words}")
    table = _table("worst operators", "op", "dB", "lost")
    for row in sorted(sqnr.rows, key=lambda row: row.db)[:WORST]:
        lost = "-" if row.lost_db is None else f"{row.lost_db:.1f}"
        table.add_row(row.name, row.op, f"{row.db:.1f}", lost)
    console.print(table)


def _table(first, *others):
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, show_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _check_same_images(metrics, dataset, max_images):
    count = min(len(dataset), max_images or len(dataset))
    wanted = {
        "dataset": dataset.info.name,
        "split": dataset.split,
        "images": count,
    }
    found = {key: metrics.get(key) for key in wanted}
    if found != wanted:
        raise UserError(
            f"float_metrics: they are of {found}, the export is measured on"
            f" {wanted}; evaluate the network on the same images"
        )


def _drop(before, after):
    if before is None or after is None:
        return None
    return 100 * (before - after)


def _percent(share):
    return "-" if share is None else f"{100 * share:.2f}"

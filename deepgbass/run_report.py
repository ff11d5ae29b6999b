"""The report of trained runs: one at the end of training, several compared."""

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np

from deepgbass.history import read_curves
from deepgbass.predictors import Predictor
from deepgbass.report import Panel, Table, write_report
from deepgbass.run_tables import (
    border_rows,
    boundary_rows,
    conditions,
    metrics_rows,
)
from deepgbass.visualize import BOUNDARY_COLORS, boundary_errors, colorize

PANELS = 4


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained network to report on.

    Attributes:
        name: what to call it.
        workdir: where it was trained.
        predictor: the network, for the pictures.
        metrics: dict of its form ("float", "int8") -> metrics, as
            `deepgbass.evaluate` gives them.
    """

    name: str
    workdir: pathlib.Path
    predictor: Predictor
    metrics: Mapping[str, Mapping]


def report_runs(path, title, runs, dataset):
    """Writes one HTML report on one or more runs on the same split.

    Args:
        path: of the HTML file.
        title: its heading.
        runs: list of `Run`; the first is the baseline, if there are several.
        dataset: `SegmentationDataset` that they were measured on.
    """
    info = dataset.info
    some = next(iter(runs[-1].metrics.values()))
    results = {run.name: run.metrics for run in runs}
    write_report(
        path,
        title=title,
        summary=f"{conditions(some)}.",
        highlights={
            f"{label}, {runs[-1].name} ({form})": metrics[key]
            for form, metrics in runs[-1].metrics.items()
            for label, key in (("mIoU", "miou"), ("mBF", "mbf"))
        },
        tables=[
            Table(
                "Metrics",
                metrics_rows(results),
                best=("mIoU", "mBF 0.75 %"),
            ),
            Table(
                "Near boundaries",
                boundary_rows(results),
                best=("bIoU",),
                note=f"bIoU, boundary IoU: {some['biou_rule']}; px: mIoU "
                f"{some['bands_rule']}",
            ),
            *_borders(runs[-1], some),
            Table(
                "Classes",
                _class_rows(runs),
                colors=info.colors,
                bars=tuple(f"IoU, {run.name}" for run in runs),
                note="float networks; a dash where a class does not occur",
            ),
        ],
        curves=_curves(runs),
        panels=_panels(runs, dataset),
        legends={
            "Classes": dict(zip(info.class_names, info.colors, strict=True)),
            "Boundary errors": BOUNDARY_COLORS,
        },
        config={
            run.name: (run.workdir / "config.json").read_text() for run in runs
        },
    )


def _borders(run, metrics):
    """The borders that a run loses most of, if there are any."""
    if metrics["borders"]:
        yield Table(
            f"Borders that {run.name} misses",
            border_rows(metrics["borders"]),
            note=metrics["borders_rule"],
        )


def _class_rows(runs):
    tables = [next(iter(run.metrics.values()))["per_class"] for run in runs]
    rows = []
    for classes in zip(*tables, strict=True):
        row = {"class": classes[0]["name"]}
        for run, entry in zip(runs, classes, strict=True):
            row[f"IoU, {run.name}"] = entry["iou"]
            row[f"BF, {run.name}"] = entry["bf"]
        rows.append(row)
    return rows


def _curves(runs):
    """Plots of what was measured over the steps, one line a run."""
    names = {
        "total": "training loss (of each run, by its own definition)",
        "learning_rate": "learning rate",
        "miou": "mIoU",
        "mbf": "mBF",
    }
    plots = {}
    for run in runs:
        curves = read_curves(run.workdir / "history.jsonl")
        for name, title in names.items():
            # One evaluation, at the end, makes no curve.
            if len(curves.get(name, ())) > 1:
                plots.setdefault(title, {})[run.name] = curves[name]
    return plots


def _panels(runs, dataset):
    info = dataset.info
    indices = np.linspace(0, len(dataset) - 1, PANELS).astype(int)
    panels = []
    for example in dataset.examples(np.unique(indices)):
        image, label = example["image"], example["label"]
        pictures = {"input": image, "truth": colorize(label, info.colors)}
        for run in runs:
            prediction = run.predictor(image)
            suffix = f", {run.name}" if len(runs) > 1 else ""
            pictures[f"prediction{suffix}"] = colorize(prediction, info.colors)
            pictures[f"boundary errors{suffix}"] = boundary_errors(
                label, prediction, image
            )
        panels.append(Panel(example["filename"], pictures))
    return panels

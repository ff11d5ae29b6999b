"""The reports of runs: one under way, one that ended, several compared."""

import dataclasses
import pathlib
from collections.abc import Mapping

from deepgbass.configs import load_config
from deepgbass.experiment import make_loss
from deepgbass.metrics.labels import METRIC_LABELS
from deepgbass.predictors import Predictor
from deepgbass.reports.boundary_pictures import BOUNDARY_COLORS
from deepgbass.reports.gallery import Gallery
from deepgbass.reports.history import read_curves
from deepgbass.reports.report import write_report
from deepgbass.reports.report_pictures import Panel
from deepgbass.reports.report_table import Table
from deepgbass.reports.run_tables import (
    border_rows,
    boundary_rows,
    conditions,
    metrics_rows,
)

# Plot -> measured name -> line, for one run and for several.
_LOSSES = {
    "training loss": {
        "total": "total",
        "wce": "SBL-WCE",
        "sbl": "SBL",
        "sbl_predicted": "SBL, L1",
        "sbl_true": "SBL, L2",
        "ce": "cross-entropy",
    }
}
_TOTALS = {"training loss (of each run, by its own definition)": {"total": ""}}
_RATES = {
    "learning rate": {"learning_rate": ""},
    "gradient norm": {"gradient_norm": ""},
    "mean w": {"mean_weight": ""},
}
_SCORES = {"mIoU": {"miou": ""}, "mBF": {"mbf": ""}}


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
    last = runs[-1]
    results = {run.name: run.metrics for run in runs}
    loss = None
    if len(runs) == 1:
        loss = make_loss(load_config(last.workdir).loss)
    gallery = Gallery(dataset, loss)
    write_report(
        path,
        title=title,
        summary=f"{conditions(next(iter(last.metrics.values())))}.",
        highlights={
            f"{label}, {last.name} ({form})": metrics[key]
            for form, metrics in last.metrics.items()
            for label, key in (("mIoU", "miou"), ("mBF", "mbf"))
        },
        tables=_tables(results, dataset.info),
        curves=_curves({run.name: _history(run) for run in runs}),
        panels=_panels(
            {run.name: gallery.views(run.predictor) for run in runs},
            dataset.info.colors,
        ),
        legends=_legends(dataset.info),
        config={run.name: _config(run.workdir) for run in runs},
    )


def report_progress(
    path, workdir, progress, *, name, info, metrics=None, views=()
):
    """Writes the HTML report on one run that is under way.

    Args:
        path: of the HTML file.
        workdir: of the run; its history and configuration are read there.
        progress: `deepgbass.reports.report.Progress`.
        name: what to call the run.
        info: `DatasetInfo`.
        metrics: None, or those of the last evaluation, as
            `deepgbass.evaluate` gives them, and its `step`.
        views: of the last evaluation, as `Gallery.views` gives them.
    """
    curves = read_curves(pathlib.Path(workdir) / "history.jsonl")
    highlights, summary, tables = {}, "", []
    for key, label in (("miou", "mIoU"), ("mbf", "mBF")):
        if key in curves:
            step, value = curves[key][-1]
            best_step, best = max(curves[key], key=lambda point: point[1])
            highlights[f"{label} at step {step:,}"] = value
            highlights[f"best {label}, step {best_step:,}"] = best
    if metrics:
        summary = (
            f"Tables and pictures: step {metrics['step']:,}. "
            f"{conditions(metrics)}."
        )
        tables = _tables({name: {"float": metrics}}, info)
    write_report(
        path,
        title=f"{name}, under way",
        summary=summary,
        highlights=highlights,
        tables=tables,
        curves=_curves({name: curves}),
        panels=_panels({name: views}, info.colors),
        legends=_legends(info),
        config={name: _config(workdir)},
        progress=progress,
    )


def _tables(results, info):
    """The tables on runs: dict of name -> form -> metrics."""
    name, forms = list(results.items())[-1]
    some = next(iter(forms.values()))
    tables = [
        Table(
            "Metrics",
            metrics_rows(results),
            best=tuple(METRIC_LABELS[key] for key in ("miou", "mbf")),
        ),
        Table(
            "Near boundaries",
            boundary_rows(results),
            best=("bIoU",),
            note=f"bIoU, boundary IoU: {some['biou_rule']}; px: mIoU "
            f"{some['bands_rule']}",
        ),
    ]
    if some["borders"]:
        tables.append(
            Table(
                f"Borders that {name} misses",
                border_rows(some["borders"]),
                note=some["borders_rule"],
            )
        )
    classes = Table(
        "Classes",
        _class_rows(results),
        colors=info.colors,
        bars=tuple(f"IoU, {name}" for name in results),
        note="float networks; a dash where a class does not occur",
    )
    return [*tables, classes]


def _class_rows(results):
    tables = {
        name: next(iter(forms.values()))["per_class"]
        for name, forms in results.items()
    }
    rows = []
    for classes in zip(*tables.values(), strict=True):
        row = {"class": classes[0]["name"]}
        for name, entry in zip(tables, classes, strict=True):
            row[f"IoU, {name}"] = entry["iou"]
            row[f"BF, {name}"] = entry["bf"]
        rows.append(row)
    return rows


def _history(run):
    """The curves of a run, up to the metrics that were taken at its end."""
    curves = read_curves(run.workdir / "history.jsonl")
    metrics = next(iter(run.metrics.values()))
    for name in ("miou", "mbf"):
        points, value = curves.get(name), metrics[name]
        ends = "step" in metrics and value is not None
        if points and ends and points[-1][0] < metrics["step"]:
            points.append((metrics["step"], value))
    return curves


def _curves(runs):
    """Plots over the steps of the curves by run."""
    losses = _LOSSES if len(runs) == 1 else _TOTALS
    plots = {}
    for title, names in (losses | _SCORES | _RATES).items():
        for run, curves in runs.items():
            for name, line in names.items():
                if name == "ce" and "sbl" not in curves:
                    continue  # the total
                # One evaluation, at the end, makes no curve.
                if len(curves.get(name, ())) > 1:
                    plots.setdefault(title, {})[line or run] = curves[name]
    return plots


def _panels(runs, colors):
    """What the runs made of the same images; dict of name -> list of `View`."""
    panels = []
    for views in zip(*runs.values(), strict=True):
        pictures = views[0].reference(colors)
        for run, view in zip(runs, views, strict=True):
            suffix = f", {run}" if len(runs) > 1 else ""
            for title, picture in view.outcome(colors).items():
                pictures[f"{title}{suffix}"] = picture
        panels.append(Panel(views[0].name, pictures))
    return panels


def _legends(info):
    return {
        "Classes": dict(zip(info.class_names, info.colors, strict=True)),
        "Boundary errors": BOUNDARY_COLORS,
    }


def _config(workdir):
    return (pathlib.Path(workdir) / "config.json").read_text()

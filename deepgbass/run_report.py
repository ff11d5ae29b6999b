"""The report of trained runs: one at the end of training, several compared."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping

import numpy as np
import rich.box
import rich.table

from deepgbass.configs import load_config
from deepgbass.data.pipeline import load_dataset
from deepgbass.evaluation import evaluate
from deepgbass.experiment import (
    prepare_data_dir,
    require_same,
    restore_model,
)
from deepgbass.files import write_atomic
from deepgbass.history import read_curves
from deepgbass.predictors import KerasPredictor, Predictor
from deepgbass.progress import console
from deepgbass.report import Panel, Table, write_report
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


def measure_checkpoint(workdir, data_dir=None):
    """Measures a work directory's newest checkpoint, for the curves.

    Returns:
        dict: `miou` and `mbf`, shares in 0..1.
    """
    config = load_config(workdir)
    dataset = _eval_dataset(config, workdir, data_dir)
    model, _ = restore_model(workdir)
    metrics = evaluate(KerasPredictor(model, dataset.info), dataset)
    return {name: metrics[name] for name in ("miou", "mbf")}


def evaluate_run(config, workdir, data_dir=None, name="float"):
    """Measures a trained work directory; writes metrics.json and report.html.

    Args:
        config: `ExperimentConfig`, which must be the work directory's.
        workdir: folder that train.py made.
        data_dir: folder of records; not needed for the embedded set.
        name: what to call the network.

    Returns:
        `Run`.

    Raises:
        UserError: another experiment's folder, no checkpoint, bad data.
    """
    workdir = pathlib.Path(workdir)
    dataset = _eval_dataset(config, workdir, data_dir)
    require_same(config, dataset.info, workdir)
    model, step = restore_model(workdir)
    predictor = KerasPredictor(model, dataset.info)
    parameters = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    metrics = {
        "step": step,
        "parameters": parameters,
        **evaluate(predictor, dataset),
    }
    write_atomic(workdir / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    run = Run(name, workdir, predictor, {"float": metrics})
    path = workdir / "report.html"
    report_runs(path, f"{config.name} at step {step}", [run], dataset)
    print_metrics({name: run.metrics})
    console.print(f"Report: {path.resolve()}")
    return run


def print_metrics(results):
    """Prints one table: a row for every network and form.

    Args:
        results: dict of network -> form ("float", "int8") -> metrics, as
            `deepgbass.evaluate` gives them.
    """
    rows = metrics_rows(results)
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    for name, value in rows[0].items():
        numeric = not isinstance(value, str)
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    console.print(table)


def markdown_table(results):
    """The table of `print_metrics` in Markdown."""
    rows = metrics_rows(results)
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    lines += [[_cell(value) for value in row.values()] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value):
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.3f}"


def _eval_dataset(config, workdir, data_dir):
    data_dir = prepare_data_dir(config, workdir, data_dir)
    return load_dataset(data_dir, config.data.eval_split)


def metrics_rows(results):
    """The same as dicts, column -> cell."""
    return [
        {
            "network": name,
            "form": form,
            "mIoU": metrics["miou"],
            "mBF 0.75 %": metrics["mbf"],
            "mBF 3 px": metrics["mbf_3px"],
            "mBF 1 px": metrics["mbf_1px"],
            "pixel accuracy": metrics["pixel_accuracy"],
        }
        for name, forms in results.items()
        for form, metrics in forms.items()
    ]


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
    last = runs[-1].metrics
    write_report(
        path,
        title=title,
        summary=(
            f"{some['images']} images of {info.name}, split {dataset.split}. "
            f"mBF: {some['mbf_rule']}, tolerance {some['tolerance']}."
        ),
        highlights={
            f"{label} ({form})": metrics[key]
            for form, metrics in last.items()
            for label, key in (("mIoU", "miou"), ("mBF", "mbf"))
        },
        tables=[
            Table(
                "Metrics",
                metrics_rows({run.name: run.metrics for run in runs}),
                best=("mIoU", "mBF 0.75 %"),
            ),
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
        "total": "loss",
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

"""The report on one evaluated network: tables and pictures."""

from deepgbass.reports.boundary_pictures import BOUNDARY_COLORS
from deepgbass.reports.gallery import Gallery
from deepgbass.reports.report import write_report
from deepgbass.reports.report_pictures import Panel
from deepgbass.reports.report_table import Table
from deepgbass.reports.run_tables import (
    border_rows,
    boundary_rows,
    conditions,
    metrics_rows,
)


def write_evaluation_report(path, metrics, candidate, dataset):
    """Writes one HTML file.

    Args:
        path: of the file.
        metrics: dict, as `resumable.evaluate_into` gives it.
        candidate: `Candidate`, which predicts the pictures.
        dataset: `SegmentationDataset` that it was measured on.
    """
    info = dataset.info
    panels = []
    for view in Gallery(dataset).views(candidate.predictor):
        pictures = view.reference(info.colors) | view.outcome(info.colors)
        panels.append(Panel(view.name, pictures))
    write_report(
        path,
        title=f"{candidate.name} ({candidate.form}) on {info.name}",
        summary=f"{conditions(metrics)}. {prediction(metrics)}",
        highlights={"mIoU": metrics["miou"], "mBF": metrics["mbf"]},
        tables=_tables(metrics, candidate, info),
        panels=panels,
        legends={
            "Classes": dict(zip(info.class_names, info.colors, strict=True)),
            "Boundary errors": BOUNDARY_COLORS,
        },
        config={"model": dict(candidate.identity)},
    )


def prediction(metrics):
    """How the images were predicted, in a sentence; "" if plainly."""
    ways = []
    if metrics["scales"] != [1.0]:
        scales = ", ".join(f"{scale:g}" for scale in metrics["scales"])
        ways.append(f"the scales {scales}")
    if metrics["flip"]:
        ways.append("mirror images")
    if not ways:
        return ""
    return f"Probabilities averaged over {' and '.join(ways)}."


def _tables(metrics, candidate, info):
    results = {candidate.name: {candidate.form: metrics}}
    tables = [
        Table("Metrics", metrics_rows(results)),
        Table(
            "Near boundaries",
            boundary_rows(results),
            note=f"bIoU, boundary IoU: {metrics['biou_rule']}; px: mIoU "
            f"{metrics['bands_rule']}",
        ),
    ]
    if metrics["borders"]:
        tables.append(
            Table(
                "Borders that it misses",
                border_rows(metrics["borders"]),
                note=metrics["borders_rule"],
            )
        )
    rows = [
        {
            "class": entry["name"],
            "IoU": entry["iou"],
            "BF": entry["bf"],
            "bIoU": entry["biou"],
        }
        for entry in metrics["per_class"]
    ]
    classes = Table(
        "Classes",
        rows,
        colors=info.colors,
        bars=("IoU",),
        note="a dash where a class does not occur",
    )
    return [*tables, classes]

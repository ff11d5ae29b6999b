"""Tables of measured networks, for the terminal and in Markdown."""

import rich.box
import rich.table

from deepgbass.metrics.boundary_rule import Tolerance
from deepgbass.metrics.labels import METRIC_LABELS
from deepgbass.progress import console

# Borders between classes that a terminal shows.
WORST = 5


def print_metrics(results):
    """Prints a table: a row for every network and form.

    Below it, how they do near boundaries, and the borders between classes
    at which the last network loses most.

    Args:
        results: dict of network -> form ("float", "int8") -> metrics, as
            `deepgbass.evaluate` gives them.
    """
    some = next(iter(next(iter(results.values())).values()))
    _print_table(metrics_rows(results))
    console.print(conditions(some))
    _print_table(boundary_rows(results))
    console.print(f"bIoU, boundary IoU: {some['biou_rule']}")
    console.print(f"px: mIoU {some['bands_rule']}")
    if "miou_without_other" in some:
        console.print("no other: mIoU without the class other (MLPerf)")
    name, forms = list(results.items())[-1]
    form, metrics = next(iter(forms.items()))
    if metrics["borders"]:
        console.print(f"\nWorst borders of {name} ({form}):")
        _print_table(border_rows(metrics["borders"]))
        console.print(f"met: {metrics['borders_rule']}")


def markdown_table(results):
    """The first table of `print_metrics`, and its conditions, in Markdown."""
    some = next(iter(next(iter(results.values())).values()))
    rows = metrics_rows(results)
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    lines += [[_cell(value) for value in row.values()] for row in rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"{table}\n{conditions(some)}\n"


def conditions(metrics):
    """What was measured and by which rules, to stand beside a table."""
    words = f"{metrics['dataset']}, split {metrics['split']}"
    words += f", {metrics['images']} images"
    if metrics.get("protocol"):
        words += f", protocol {metrics['protocol']}"
    if metrics.get("excluded"):
        words += f", without {', '.join(metrics['excluded'])}"
    words += f". mBF: {metrics['mbf_rule']}"
    if "mbf_definitions" in metrics:
        tolerances = [
            Tolerance(**definition["tolerance"])
            for definition in metrics["mbf_definitions"].values()
        ]
        words += f"; {', '.join(f'{t.sign} {t}' for t in tolerances)}"
    return words


def _print_table(rows):
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, show_edge=False)
    for name, value in rows[0].items():
        numeric = not isinstance(value, str)
        table.add_column(
            name, justify="right" if numeric else "left", no_wrap=True
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


def _cell(value):
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def metrics_rows(results):
    """The same as dicts, column -> cell."""
    return [
        {
            "network": name,
            "form": form,
            **{label: metrics[key] for key, label in METRIC_LABELS.items()},
        }
        for name, forms in results.items()
        for form, metrics in forms.items()
    ]


def boundary_rows(results):
    """A row for every network and form of what `metrics_rows` leaves out."""
    return [
        {
            "network": name,
            "form": form,
            **(
                {"no other": metrics["miou_without_other"]}
                if "miou_without_other" in metrics
                else {}
            ),
            "bIoU": metrics["biou"],
            **{
                f"{band['width']} px": band["miou"] for band in metrics["bands"]
            },
        }
        for name, forms in results.items()
        for form, metrics in forms.items()
    ]


def border_rows(borders):
    """A row for each of the worst of `deepgbass.evaluate`'s borders."""
    return [
        {
            "border": " | ".join(border["classes"]),
            "length": border["length"],
            "met": border["met"] / border["length"],
            "lost": border["length"] - border["met"],
            "mostly predicted": (
                " | ".join(border["instead"][0]["classes"])
                if border["instead"]
                else "-"
            ),
        }
        for border in borders[:WORST]
    ]

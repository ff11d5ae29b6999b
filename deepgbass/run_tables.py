"""Tables of measured networks, for the terminal and in Markdown."""

import rich.box
import rich.table

from deepgbass.progress import console


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
        table.add_column(
            name, justify="right" if numeric else "left", no_wrap=True
        )
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    console.print(table)
    some = next(iter(next(iter(results.values())).values()))
    console.print(f"mBF rule: {some['mbf_rule']}")


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
            "accuracy": metrics["pixel_accuracy"],
        }
        for name, forms in results.items()
        for form, metrics in forms.items()
    ]

"""The results of a benchmark on the screen."""

import rich.box
import rich.table

from deepgbass.ondevice.results import conditions, facts, labels
from deepgbass.progress import console


def print_results(results):
    """Prints the conditions, a table for each model, and the ratios.

    Args:
        results: dict from `results.collect`.
    """
    for note in results["notes"]:
        console.print(f"note: {note}")
    _print_pairs(conditions(results))
    names = labels(results)
    for name, model in zip(names, results["models"], strict=True):
        console.print(f"\n{name}", style="bold")
        _print_pairs(facts(model))
        table = _table()
        table.add_column("ms", no_wrap=True)
        for column in model["phases"]["total"]:
            table.add_column(column, justify="right")
        for phase, numbers in model["phases"].items():
            table.add_row(
                phase,
                *(milliseconds(value) for value in numbers.values()),
                style="bold" if phase == "total" else None,
            )
        console.print(table)
    if results["ratios"]:
        console.print(f"Times as long as {names[0]}", style="bold")
        table = _table()
        for column in ("", "total", "p10 to p90", "invoke", "p10 to p90"):
            table.add_column(column, justify="right" if column else "left")
        for name, one in zip(names[1:], results["ratios"], strict=True):
            table.add_row(name, *ratio_cells(one))
        console.print(table)


def milliseconds(value):
    """A time as text: the more digits after the point, the shorter it is."""
    digits = 3 if value < 10 else 2 if value < 100 else 1
    return f"{value:,.{digits}f}"


def ratio_cells(one):
    """A row's cells: median and spread, of the total and of invoke."""
    return [
        text
        for phase in ("total", "invoke")
        for text in (
            f"{one[phase]['median']:.3f}",
            f"{one[phase]['p10']:.3f} to {one[phase]['p90']:.3f}",
        )
    ]


def _table():
    return rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)


def _print_pairs(pairs):
    width = max(map(len, pairs))
    for name, text in pairs.items():
        console.print(f"{name:{width}}  {text}")

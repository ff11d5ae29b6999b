"""A table of the report, in HTML."""

import re
from dataclasses import dataclass

from deepgbass.reports.report_text import as_text, escaped, swatch


@dataclass(frozen=True)
class Table:
    """A table of metrics.

    Attributes:
        title: heading.
        rows: list of dicts, column name -> cell: a str, shown as it is, or a
            number, shown with 3 decimals (int: with thousands separators).
            None, NaN and absent cells are shown as a dash. Columns come in
            the order in which the rows first name them.
        colors: None, or one RGB colour 0..255 a row, shown before its first
            cell.
        best: names of the columns whose highest value is set in bold.
        bars: names of the columns of numbers 0..1 that get a bar each.
        note: a line below, e.g. the tolerance and the averaging rule.
    """

    title: str
    rows: list
    colors: object = None
    best: tuple = ()
    bars: tuple = ()
    note: str = ""


def table_html(table):
    """A `Table` under its heading; "" without any column."""
    columns = list(dict.fromkeys(name for row in table.rows for name in row))
    if not columns:
        return ""
    cells = [[as_text(row.get(name)) for name in columns] for row in table.rows]
    head, styles = "", []
    for name, column in zip(columns, zip(*cells, strict=True), strict=True):
        values = [_leading_number(text) for text in column]
        numeric = all(
            value is not None or text == "–"
            for value, text in zip(values, column, strict=True)
        )
        known = [value for value in values if value is not None]
        best = max(known) if name in table.best and len(known) > 1 else None
        kind = ' class="number"' if numeric else ""
        head += f'<th scope="col"{kind}>{escaped(name)}</th>'
        styles.append((numeric, name in table.bars, best, values))

    lines = ""
    for index, row in enumerate(cells):
        line = ""
        for column, text in enumerate(row):
            numeric, bars, best, values = styles[column]
            value, shown, kinds, style = values[index], escaped(text), [], ""
            if column == 0 and table.colors is not None:
                shown = swatch(table.colors[index]) + shown
            if numeric:
                kinds.append("number")
            if best is not None and value == best:
                kinds.append("best")
            if bars and value is not None:
                kinds.append("bar")
                share = min(max(value, 0), 1) * 100
                style = f' style="--share:{share:.1f}%"'
            kind = f' class="{" ".join(kinds)}"' if kinds else ""
            tag = 'th scope="row"' if column == 0 else "td"
            line += f"<{tag}{kind}{style}>{shown}</{tag[:2]}>"
        lines += f"<tr>{line}</tr>"
    note = f'<p class="note">{escaped(table.note)}</p>' if table.note else ""
    return (
        f"<h3>{escaped(table.title)}</h3>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>{note}"
    )


def _leading_number(text):
    """The number that a cell begins with, e.g. of "51.2 ± 0.3", or None."""
    match = re.match(r"[+\-−]?(\d[\d,]*\.?\d*(e[+-]?\d+)?|inf)", text)
    return match and float(match[0].replace(",", "").replace("−", "-"))

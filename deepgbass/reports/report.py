"""One self-contained HTML file that shows what a run, or several, achieved.

`write_report` serves the end of a training (one run) and an ablation (many
runs side by side): tables take any columns, and every plot any number of
runs. Pictures and plots are inside the file; nothing is fetched or executed
when it is opened, which its content security policy also enforces.

    write_report(
        "work/report.html",
        title="camvid: DGD-64 with SBAL",
        summary="101 validation images at step 3,000",
        highlights={"mIoU": 0.512, "mBF (0.75 %)": 0.431},
        tables=[
            Table("Metrics", [{"model": "float", "mIoU": 0.512},
                              {"model": "int8", "mIoU": 0.509}]),
            Table("Classes", [{"class": "sky", "IoU": 0.91}, ...],
                  colors=colors, bars=("IoU",)),
        ],
        curves={"loss": {"DGD-64": [(20, 1.9), (40, 1.7), ...]}},
        panels=[Panel("0016E5_07959.jpg", {"input": image, ...})],
        legends={"Classes": dict(zip(names, colors))},
        config={"config.json": config.to_json()},
    )
"""

import base64
import datetime
import html
import io
import json
import math
import numbers
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from deepgbass.files import write_atomic
from deepgbass.reports.plots import (
    averaged,
    line_color,
    line_plot,
    points_per_mark,
)
from deepgbass.reports.report_page import PAGE, STYLE
from deepgbass.reports.visualize import enlarge, shrink
from deepgbass.versions import versions

_LONGEST = 1024


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


@dataclass(frozen=True)
class Panel:
    """Pictures of one scene side by side.

    Attributes:
        title: caption, e.g. the name of the image and its scores.
        pictures: dict, name -> uint8 `(height, width, 3)`.
    """

    title: str
    pictures: dict


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: steps done.
        steps: steps in all.
        left: words on the time that is left, or "".
        refresh: seconds between two loads of the open page.
    """

    step: int
    steps: int
    left: str = ""
    refresh: int = 60


def write_report(
    path,
    *,
    title,
    summary="",
    highlights=None,
    tables=(),
    curves=None,
    panels=(),
    legends=None,
    config=None,
    progress=None,
):
    """Writes the report, whole or not at all.

    Args:
        path: str or Path of the HTML file; one that exists is replaced.
        title: str.
        summary: str, a sentence or two on what was done.
        highlights: dict, name -> str or number: the few figures that matter.
        tables: list of `Table`.
        curves: dict, plot title -> dict, run name -> list of (step, value).
            A run keeps its colour in all plots. Runs longer than 200 points
            are drawn as means over equal spans.
        panels: list of `Panel`.
        legends: dict, legend title -> dict, name -> RGB colour 0..255, shown
            above the panels.
        config: dict, name -> str, or anything that JSON can hold: each is
            shown folded, as the effective configuration.
        progress: None, or the `Progress` of what is not finished: the page
            then says so and loads itself anew from time to time.
    """
    sections = {
        "Results": "".join(_table(table) for table in tables),
        "Curves": _curves(curves or {}),
        "Pictures": _pictures(panels, legends or {}),
        "Configuration": "".join(
            f"<details><summary>{_text(name)}</summary>"
            f"<pre>{_text(_as_json(value))}</pre></details>"
            for name, value in (config or {}).items()
        ),
    }
    sections = {name: body for name, body in sections.items() if body}
    links = "".join(
        f'<a href="#{name.lower()}">{name}</a>' for name in sections
    )
    tiles = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(_number(value))}</dd></div>"
        for name, value in (highlights or {}).items()
    )
    body = "".join(
        f'<section id="{name.lower()}"><h2>{name}</h2>{content}</section>'
        for name, content in sections.items()
    )
    now = datetime.datetime.now().astimezone()
    about = " · ".join(f"{name} {value}" for name, value in versions().items())
    document = PAGE.format(
        title=_text(title),
        refresh=_refresh(progress),
        style=STYLE,
        about=_text(about),
        date=now.isoformat(" ", "minutes"),
        summary=f"<p>{_text(summary)}</p>" if summary else "",
        progress=_progress(progress),
        tiles=f'<dl class="tiles">{tiles}</dl>' if tiles else "",
        links=links,
        body=body,
    )
    write_atomic(path, document)


def _refresh(progress):
    if progress is None:
        return ""
    # No script is needed, and none would be allowed.
    return f'<meta http-equiv="refresh" content="{progress.refresh}">\n'


def _progress(progress):
    if progress is None:
        return ""
    now = datetime.datetime.now().strftime("%H:%M:%S")
    words = [f"step {progress.step:,} of {progress.steps:,}", progress.left]
    words += [
        f"updated at {now}",
        f"this page loads itself anew every {progress.refresh} s",
    ]
    return (
        f'<div class="progress"><progress value="{progress.step}" '
        f'max="{progress.steps}"></progress>'
        f"{_text(' · '.join(word for word in words if word))}</div>"
    )


def _text(value):
    return html.escape(str(value))


def _number(value):
    """A cell as text."""
    if value is None or (isinstance(value, numbers.Real) and value != value):
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{value:,}"
    if isinstance(value, numbers.Real):
        return f"{value:.2g}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"
    return str(value)


def _leading_number(text):
    """The number that a cell begins with, e.g. of "51.2 ± 0.3", or None."""
    match = re.match(r"[+\-−]?(\d[\d,]*\.?\d*(e[+-]?\d+)?|inf)", text)
    return match and float(match[0].replace(",", "").replace("−", "-"))


def _table(table):
    columns = list(dict.fromkeys(name for row in table.rows for name in row))
    if not columns:
        return ""
    cells = [[_number(row.get(name)) for name in columns] for row in table.rows]
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
        head += f'<th scope="col"{kind}>{_text(name)}</th>'
        styles.append((numeric, name in table.bars, best, values))

    lines = ""
    for index, row in enumerate(cells):
        line = ""
        for column, text in enumerate(row):
            numeric, bars, best, values = styles[column]
            value, shown, kinds, style = values[index], _text(text), [], ""
            if column == 0 and table.colors is not None:
                shown = _swatch(table.colors[index]) + shown
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
    note = f'<p class="note">{_text(table.note)}</p>' if table.note else ""
    return (
        f"<h3>{_text(table.title)}</h3>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>{note}"
    )


def _swatch(color):
    red, green, blue = (int(v) for v in color)
    return f'<i class="swatch" style="--c:rgb({red},{green},{blue})"></i>'


def _curves(curves):
    runs = list(dict.fromkeys(run for plot in curves.values() for run in plot))
    figures = ""
    for title, plot in curves.items():
        lines = {
            runs.index(run): points for run, points in plot.items() if points
        }
        if not lines:
            continue
        keys = "".join(
            f'<span><i class="line" style="--c:{line_color(run)}"></i>'
            f"{_text(runs[run])} <b>{_number(averaged(points)[1][-1])}</b>"
            "</span>"
            for run, points in lines.items()
        )
        notes = "".join(
            f'<p class="note">{_text(note)}</p>'
            for note in _plot_notes(lines.values())
        )
        figures += (
            f"<figure><h3>{_text(title)}</h3>"
            f'<div role="img" aria-label="{_text(title)}">'
            f"{line_plot(lines, salt=title)}</div>"
            f'<figcaption class="keys">{keys}</figcaption>{notes}</figure>'
        )
    if not figures:
        return ""
    note = '<p class="note">Beside each name: where its line ends.</p>'
    return f'<div class="plots">{figures}</div>{note}'


def _plot_notes(lines):
    values = max(points_per_mark(len(points)) for points in lines)
    if values > 1:
        yield f"Each point is the mean of up to {values} values."
    lost = sum(not math.isfinite(v) for points in lines for _, v in points)
    if lost:
        yield f"Values that are not finite and thus not drawn: {lost}."


def _pictures(panels, legends):
    if not panels:
        return ""
    keys = "".join(
        f'<p class="keys"><strong>{_text(title)}</strong>'
        + "".join(
            f"<span>{_swatch(color)}{_text(name)}</span>"
            for name, color in entries.items()
        )
        + "</p>"
        for title, entries in legends.items()
    )
    return keys + "".join(
        f'<div class="panel"><h3>{_text(panel.title)}</h3><div class="grid">'
        + "".join(
            f'<figure><label><input type="checkbox" '
            f'aria-label="enlarge {_text(name)}">'
            f'<img alt="{_text(name)}" src="{_data_uri(picture)}"></label>'
            f"<figcaption>{_text(name)}</figcaption></figure>"
            for name, picture in panel.pictures.items()
        )
        + "</div></div>"
        for panel in panels
    )


def _data_uri(picture):
    """PNG for flat pictures such as labels, JPEG for photographs."""
    picture = enlarge(np.asarray(picture, np.uint8))
    image = Image.fromarray(shrink(picture, _LONGEST))
    buffer = io.BytesIO()
    if image.getcolors(256):
        kind = "png"
        image.save(buffer, "PNG", optimize=True)
    else:
        kind = "jpeg"
        # Full chroma: coloured lines one pixel wide would bleed without.
        image.save(buffer, "JPEG", quality=88, subsampling=0)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind};base64,{data}"


def _as_json(value):
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, indent=2, default=str)

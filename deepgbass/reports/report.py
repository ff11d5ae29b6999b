"""One self-contained HTML file that shows what a run, or several, achieved.

`write_report` serves the end of a training (one run) and an ablation (many
runs side by side): tables take any columns, and every plot any number of
runs. Pictures and plots are inside the file; nothing is fetched or executed
when it is opened, which its content security policy also enforces.

    from deepgbass.reports.report import write_report
    from deepgbass.reports.report_pictures import Panel
    from deepgbass.reports.report_table import Table

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

import datetime
import json
import math
from dataclasses import dataclass

from deepgbass.files import write_atomic
from deepgbass.reports.plots import (
    averaged,
    line_color,
    line_plot,
    points_per_mark,
)
from deepgbass.reports.report_page import PAGE, STYLE
from deepgbass.reports.report_pictures import pictures_html
from deepgbass.reports.report_table import table_html
from deepgbass.reports.report_text import as_text, escaped
from deepgbass.versions import versions


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
        "Results": "".join(map(table_html, tables)),
        "Curves": _curves(curves or {}),
        "Pictures": pictures_html(panels, legends or {}),
        "Configuration": "".join(
            f"<details><summary>{escaped(name)}</summary>"
            f"<pre>{escaped(_as_json(value))}</pre></details>"
            for name, value in (config or {}).items()
        ),
    }
    sections = {name: body for name, body in sections.items() if body}
    links = "".join(
        f'<a href="#{name.lower()}">{name}</a>' for name in sections
    )
    tiles = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(as_text(value))}</dd></div>"
        for name, value in (highlights or {}).items()
    )
    body = "".join(
        f'<section id="{name.lower()}"><h2>{name}</h2>{content}</section>'
        for name, content in sections.items()
    )
    now = datetime.datetime.now().astimezone()
    about = " · ".join(f"{name} {value}" for name, value in versions().items())
    document = PAGE.format(
        title=escaped(title),
        refresh=_refresh(progress),
        style=STYLE,
        about=escaped(about),
        date=now.isoformat(" ", "minutes"),
        summary=f"<p>{escaped(summary)}</p>" if summary else "",
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
        f"{escaped(' · '.join(word for word in words if word))}</div>"
    )


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
            f"{escaped(runs[run])} <b>{as_text(averaged(points)[1][-1])}</b>"
            "</span>"
            for run, points in lines.items()
        )
        notes = "".join(
            f'<p class="note">{escaped(note)}</p>'
            for note in _plot_notes(lines.values())
        )
        figures += (
            f"<figure><h3>{escaped(title)}</h3>"
            f'<div role="img" aria-label="{escaped(title)}">'
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


def _as_json(value):
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, indent=2, default=str)

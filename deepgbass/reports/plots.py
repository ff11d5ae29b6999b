"""Line plots as SVG that takes its colours from the page around it."""

import io
import math
import re

import matplotlib
import numpy as np
from matplotlib.figure import Figure

_COLORS = 8
_MOST_MARKS = 200

# Matplotlib wants colours that it knows: these unlikely ones stand for the
# custom properties of the page, and are replaced in its output.
_STAND_INS = {
    name: f"#0102{index:02x}"
    for index, name in enumerate(
        ["ink", "rule", *(f"s{color}" for color in range(_COLORS))]
    )
}


def line_color(line):
    """The CSS colour of line number `line`: the same in every plot."""
    return f"var(--s{line % _COLORS})"


def points_per_mark(points):
    """How many values are averaged so that a line is drawn by 200 at most."""
    return max(1, math.ceil(points / _MOST_MARKS))


def averaged(points):
    """Means over equal spans of a long line, as it is drawn.

    Args:
        points: list of (step, value).

    Returns:
        (steps, values), at most 200 each; NaN where no value was finite.
    """
    steps, values = np.array(points, float).T
    starts = np.arange(0, len(values), points_per_mark(len(values)))
    finite = np.isfinite(values)
    counts = np.add.reduceat(np.ones(len(values)), starts)
    known = np.add.reduceat(finite.astype(float), starts)
    total = np.add.reduceat(np.where(finite, values, 0), starts)
    means = np.where(known > 0, total / np.maximum(known, 1), np.nan)
    return np.add.reduceat(steps, starts) / counts, means


def line_plot(lines, salt):
    """Draws values over steps.

    Args:
        lines: dict, line number -> list of (step, value). The number decides
            the colour, and beyond 8 lines the dashes. Values that are not
            finite leave a gap.
        salt: str that differs between the plots of a page: ids inside the
            SVG are made from it.

    Returns:
        str, an `<svg>` element without a fixed size. Its colours are the
        custom properties `--ink`, `--rule` and `--s0` to `--s7`.
    """
    ink, rule = _STAND_INS["ink"], _STAND_INS["rule"]
    options = {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "xtick.color": ink,
        "ytick.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": rule,
        "axes.formatter.limits": (-3, 5),
        "grid.color": rule,
    }
    with matplotlib.rc_context(options):
        figure = Figure(figsize=(4.6, 2.6), layout="constrained")
        axes = figure.subplots()
        axes.grid(linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("step")
        for line, points in lines.items():
            steps, values = averaged(points)
            axes.plot(
                steps,
                values,
                color=_STAND_INS[f"s{line % _COLORS}"],
                linestyle=("-", "--", ":")[line // _COLORS % 3],
                linewidth=1.6,
                marker="o" if len(values) <= 20 else "",
                markersize=3.5,
            )
        buffer = io.StringIO()
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )
    return _embeddable(buffer.getvalue())


def _embeddable(svg):
    """Matplotlib's SVG file as an element that follows the page's style."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="\w.*?" height="\w.*?"', r"\1", svg)
    # Its style element is global, its group ids are the same in every plot.
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[\w.]+_\d+"', "<g", svg)
    svg = re.sub(r"font-family: [^;\"]*(; )?", "", svg)
    for name, stand_in in _STAND_INS.items():
        svg = svg.replace(stand_in, f"var(--{name})")
    return svg

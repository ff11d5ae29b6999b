"""The curve of accuracy against the distance to a boundary."""

from matplotlib.figure import Figure

from deepgbass.errors import UserError
from deepgbass.files import atomic_path

# Blue and vermilion of Okabe and Ito, told apart by every kind of eyes.
_COLORS = ("#0072b2", "#d55e00")
# Form -> (in words, line, marker's fill).
_LINES = {
    "float": ("float", "-", None),
    "int8": ("int8", "--", "white"),
    "qat_int8": ("int8, fine-tuned", ":", "white"),
}


def compared_rows(rows):
    """The baseline and the whole method, of the rows of a table.

    Raises:
        UserError: one of them is not there yet.
    """
    found = {row["key"]: row for row in rows}
    for key in ("baseline", "full"):
        if key not in found:
            raise UserError(
                f"the table has no row {key!r}; train it first: python -m "
                f"deepgbass.ablation --rows={key}"
            )
    return found["baseline"], found["full"]


def save_distance_curve(path, rows):
    """Draws mIoU within so many pixels of a boundary, and of all pixels.

    Args:
        path: of the PNG.
        rows: of the baseline and of the whole method, as `summarize` gives
            them. Every form that both may have is a line; where there are
            several seeds, a band of a standard deviation each way.
    """
    figure = Figure(figsize=(6.8, 3.8), layout="constrained")
    axes = figure.subplots()
    for row, color in zip(rows, _COLORS, strict=True):
        for form, (words, line, fill) in _LINES.items():
            if form in row["forms"]:
                points = _points(row["forms"][form])
                axes.plot(
                    range(len(points)),
                    [100 * point["mean"] for point in points],
                    color=color,
                    linestyle=line,
                    marker="o",
                    markersize=5,
                    markerfacecolor=fill or color,
                    label=f"{row['name']}, {words}",
                )
        _draw_spread(axes, _points(row["forms"]["float"]), color)
    widths = [band["width"] for band in rows[0]["forms"]["float"]["bands"]]
    axes.set_xticks(range(len(widths) + 1), [*map(str, widths), "all"])
    axes.set_xlabel("pixels within this distance of a class boundary (px)")
    axes.set_ylabel("mIoU (%)")
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    with atomic_path(path) as temporary:
        figure.savefig(
            temporary, format="png", dpi=140, metadata={"Software": None}
        )


def _points(form):
    """Statistics of mIoU by distance, the last of all pixels."""
    return [*(band["miou"] for band in form["bands"]), form["miou"]]


def _draw_spread(axes, points, color):
    if all(point["std"] is not None for point in points):
        axes.fill_between(
            range(len(points)),
            *(
                [100 * (p["mean"] + sign * p["std"]) for p in points]
                for sign in (-1, 1)
            ),
            color=color,
            alpha=0.15,
            linewidth=0,
        )

"""A table of trials in Markdown: for the screen, for files, for the README."""

from deepgbass.ablation.tables import TABLES
from deepgbass.reports.run_tables import conditions

# Form -> what the tables call it. The float TFLite file is there for its time.
_FORMS = {
    "float": "float",
    "int8": "int8",
    "qat_int8": "int8, fine-tuned (QAT)",
}
_METRICS = {
    "mIoU": "miou",
    "mBF 0.75 %": "mbf",
    "mBF 3 px": "mbf_3px",
    "mBF 1 px": "mbf_1px",
    "accuracy": "pixel_accuracy",
}


def markdown(table):
    """All of a table: gains, forms, boundaries, costs, conditions.

    Args:
        table: dict as table.json holds it.

    Returns:
        str. All shares are in %.
    """
    rows = table["rows"]
    parts = [gains(rows), notes(table), forms(rows), bands(rows), costs(rows)]
    return "\n".join(part for part in parts if part)


def gains(rows):
    """mIoU and mBF of the float networks, gains, and the paper's beside."""
    papers = list(dict.fromkeys(data for row in rows for data in row["paper"]))
    lines = []
    for row in rows:
        means = row["forms"]["float"]
        line = {"network": row["name"], "seeds": str(len(row["seeds"]))}
        for name, metric in (("mIoU", "miou"), ("mBF", "mbf")):
            line[name] = _percent(means[metric])
            line[f"{name} Δ%"] = _gain(row["gain"][metric])
        for data in papers:
            found = row["paper"].get(data)
            for name, metric in (("mIoU", "miou"), ("mBF", "mbf")):
                line[f"paper, {data}: {name}"] = (
                    f"{found[metric]:.2f} ({_gain(found[f'{metric}_gain'])})"
                    if found
                    else "-"
                )
        lines.append(line)
    return _table(lines)


def notes(table):
    """What the table is of, in a paragraph."""
    rows = table["rows"]
    words = f"%, {conditions(table['conditions'])}. Δ%: relative to "
    words += f"{rows[0]['name']}"
    if any(len(row["seeds"]) > 1 for row in rows):
        words += "; ±: standard deviation over the seeds"
    words += "."
    missing = [
        f"{row['name']} with {', '.join(map(str, row['missing_seeds']))}"
        for row in rows
        if row["missing_seeds"]
    ]
    if missing:
        words += f" Seeds not done yet: {'; '.join(missing)}."
    there = {row["name"] for row in rows}
    absent = [
        row.name for row in TABLES[table["table"]].rows if row.name not in there
    ]
    if absent:
        words += f" Rows not done yet: {', '.join(absent)}."
    return words + "\n"


def forms(rows):
    """Every metric of every form of each training."""
    lines = []
    for row, form, found in _each_form(rows):
        line = {"network": row["name"], "form": _FORMS[form]}
        for name, metric in _METRICS.items():
            line[name] = _percent(found[metric])
        lines.append(line)
    return _table(lines)


def bands(rows):
    """mIoU within distances of a boundary."""
    return _table(
        [
            {
                "mIoU near boundaries": row["name"],
                "form": _FORMS[form],
                **{
                    f"<= {band['width']} px": _percent(band["miou"])
                    for band in found["bands"]
                },
            }
            for row, form, found in _each_form(rows)
        ]
    )


def costs(rows):
    """Parameters, GFLOPs and times; each training once."""
    lines = []
    for row in _trainings(rows):
        line = {
            "network": row["name"],
            "parameters (M)": f"{row['parameters'] / 1e6:.2f}",
            "GFLOPs": f"{row['gflops']:.2f}",
        }
        for form, label in (("int8", "int8"), ("float_tflite", "float")):
            if any(form in other["latency_ms"] for other in rows):
                value = row["latency_ms"].get(form)
                line[f"CPU ms, {label}"] = (
                    "-" if value is None else f"{value:.1f}"
                )
        lines.append(line)
    return _table(lines)


def _trainings(rows):
    """The rows without those whose training an earlier one has shown."""
    seen = set()
    for row in rows:
        if row["key"] not in seen:
            seen.add(row["key"])
            yield row


def _each_form(rows):
    for row in _trainings(rows):
        for form, found in row["forms"].items():
            if form in _FORMS:
                yield row, form, found


def _percent(statistics):
    mean, std = statistics["mean"], statistics["std"]
    if mean is None:
        return "-"
    spread = "" if std is None else f" ± {100 * std:.2f}"
    return f"{100 * mean:.2f}{spread}"


def _gain(value):
    return "-" if value is None else f"{value:+.1f}"


def _table(lines):
    """Markdown with columns of one width, to be read in a terminal too."""
    names = list(lines[0])
    cells = [names, *([line[name] for name in names] for line in lines)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    cells.insert(1, ["-" * width for width in widths])
    return "".join(
        "| "
        + " | ".join(f"{c:{w}}" for c, w in zip(row, widths, strict=True))
        + " |\n"
        for row in cells
    )

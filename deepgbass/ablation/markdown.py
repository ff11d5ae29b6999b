"""A table of trials in Markdown: for the screen, for files, for the README."""

from deepgbass.ablation.tables import KEEPS_CE, TABLES
from deepgbass.metrics.labels import METRIC_LABELS
from deepgbass.reports.run_tables import conditions

# Form -> what the tables call it. The float TFLite file is there for its time.
_FORMS = {
    "float": "float",
    "int8": "int8",
    "qat_int8": "int8, fine-tuned (QAT)",
}


def markdown(table):
    """All of a table: gains, seeds, forms, boundaries, costs, conditions.

    Args:
        table: dict as table.json holds it.

    Returns:
        str. All shares are in %.
    """
    rows = table["rows"]
    parts = [
        gains(rows),
        notes(table),
        seeds(rows) if _several(rows) else "",
        forms(rows),
        bands(rows),
        costs(rows),
    ]
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
            line[f"{name} Δ%"] = _statistics(row["gain"][metric], "+.1f")
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


def _several(rows):
    return any(len(row["seeds"]) > 1 for row in rows)


def seeds(rows):
    """Each training by itself, to see which differences chance may make."""
    every = sorted({seed for row in rows for seed in row["seeds"]})
    lines = []
    for row in rows:
        found = row["forms"]["float"]
        pairs = zip(
            *(found[metric]["values"] for metric in ("miou", "mbf")),
            strict=True,
        )
        of_seed = dict(zip(found["seeds"], pairs, strict=True))
        lines.append(
            {
                "mIoU / mBF, float": row["name"],
                **{
                    f"seed {seed}": " / ".join(
                        map(_share, of_seed.get(seed, (None,)))
                    )
                    for seed in every
                },
            }
        )
    return _table(lines)


def notes(table):
    """What the table is of and how it was measured, in a paragraph."""
    rows = table["rows"]
    words = [
        f"%, {conditions(table['conditions'])}.",
        f"Near boundaries: {table['conditions']['bands_rule']}.",
        f"Δ%: relative to {rows[0]['name']} with the same seed.",
    ]
    if _several(rows):
        words.append("±: standard deviation over the seeds.")
    if any("qat_int8" in row["forms"] for row in rows):
        words.append(
            "QAT: fine-tuned under the rounding of int8, which is further "
            "training too."
        )
    return (
        " ".join([*words, *_costs_measured(table), *_rows_told(table)]) + "\n"
    )


def _costs_measured(table):
    size = "x".join(map(str, table["config"]["data"]["eval_size"]))
    yield f"GFLOPs (the rule of Table II) of an input of {size}."
    if timed := table.get("latency"):
        yield (
            f"CPU ms: {timed['what']}, {timed['threads']} threads, median of "
            f"{timed['rounds']} by turns, on {timed['host']['cpu']}."
        )


def _rows_told(table):
    """What is not to be seen in the rows that are there."""
    rows = table["rows"]
    mixed = [row["name"] for row in rows if KEEPS_CE in row["set"]]
    if mixed:
        yield (
            f"Cross-entropy stays beside SBL-WCE in {', '.join(mixed)}; in "
            "the paper SBL-WCE takes its place."
        )
    missing = [
        f"{row['name']} with {', '.join(map(str, row['missing_seeds']))}"
        for row in rows
        if row["missing_seeds"]
    ]
    if missing:
        yield f"Seeds not done yet: {'; '.join(missing)}."
    tuned = [
        f"{row['name']} with {', '.join(map(str, lacking))}"
        for row in rows
        if "qat_int8" in row["forms"] and (lacking := _without(row, "qat_int8"))
    ]
    if tuned:
        yield f"QAT not done yet: {'; '.join(tuned)}."
    there = {row["name"] for row in rows}
    absent = [
        row.name for row in TABLES[table["table"]].rows if row.name not in there
    ]
    if absent:
        yield f"Rows not done yet: {', '.join(absent)}."


def _without(row, form):
    """Seeds of a row that have no such form."""
    there = row["forms"][form]["seeds"]
    return [seed for seed in row["seeds"] if seed not in there]


def forms(rows):
    """Every metric of every form of each training."""
    lines = []
    for row, form, found in _each_form(rows):
        line = {
            "network": row["name"],
            "form": _FORMS[form],
            "seeds": ", ".join(map(str, found["seeds"])),
        }
        for metric, name in METRIC_LABELS.items():
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
    """Parameters, GFLOPs and times."""
    lines = []
    for row in rows:
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


def _each_form(rows):
    for row in rows:
        for form, found in row["forms"].items():
            if form in _FORMS:
                yield row, form, found


def _percent(found):
    shares = {
        name: None if found[name] is None else 100 * found[name]
        for name in ("mean", "std")
    }
    return _statistics(shares, ".2f")


def _share(value):
    return "-" if value is None else f"{100 * value:.1f}"


def _statistics(found, form):
    """Mean, and deviation if there is one; a hyphen for none."""
    if found is None or found["mean"] is None:
        return "-"
    spread = "" if found["std"] is None else f" ± {found['std']:{form[-3:]}}"
    return f"{found['mean']:{form}}{spread}"


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

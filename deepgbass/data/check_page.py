"""What a check found, as a page to look at."""

from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image

from deepgbass.data import salvage
from deepgbass.data.audit import Audit
from deepgbass.data.pair import decode_pair
from deepgbass.data.problems import ERROR
from deepgbass.data.record import deserialize_example
from deepgbass.data.split_audit import Entry, SplitAudit
from deepgbass.reports.report import write_report
from deepgbass.reports.report_pictures import Panel
from deepgbass.reports.report_table import Table
from deepgbass.reports.visualize import IGNORED, colorize, overlay

# The page names this many offenders of a problem; the JSON has all of them.
_NAMED = 20
# Sizes and images that a table lists.
_LISTED = 8
# Samples of a split: the most ignored ones, and one of each of the rarest.
_IGNORED, _RAREST = 2, 3
_WIDEST = 1024


def write_page(path, audit: Audit, *, samples: int, seed: int) -> None:
    """Writes the page, whole or not at all.

    Args:
        path: Of the HTML file.
        audit: What was found.
        samples: Images of each split that are drawn by lot; the most ignored
            ones and those with the rarest classes are shown besides.
        seed: Equal seeds, equal samples.
    """
    info = audit.info
    colors = dict(zip(info.class_names, info.colors, strict=True))
    warnings = len(audit.problems) - audit.errors
    write_report(
        path,
        title=f"{info.name}: check of the data",
        summary=(
            f"{'Not passed' if audit.errors else 'Passed'}. "
            f"{info.num_classes} classes"
            + (f", protocol {info.protocol}." if info.protocol else ".")
        ),
        highlights={
            "errors": audit.errors,
            "warnings": warnings,
            **{
                f"images, {name}": len(split.good)
                for name, split in audit.splits.items()
            },
        },
        tables=[
            *_problem_tables(audit),
            _split_table(audit),
            *(
                table
                for split in audit.splits.values()
                for table in _tables(audit, split)
            ),
        ],
        panels=[
            panel
            for split in audit.splits.values()
            for panel in _panels(audit, split, samples, seed)
        ],
        legends={"Classes": colors, "No class": {"ignored": IGNORED}},
    )


def choose_samples(
    split: SplitAudit, class_names, count: int, seed: int
) -> dict[Entry, str]:
    """Images worth looking at, and why.

    Args:
        split: Where to choose.
        class_names: One name a class.
        count: Images drawn by lot.
        seed: Equal seeds, equal images.

    Returns:
        The reasons by entry: first the worst, then those drawn by lot.
    """
    good, reasons = split.good, {}
    for entry in split.most_ignored(_IGNORED):
        reasons.setdefault(entry, []).append("most ignored")
    for index in split.rarest(_RAREST):
        reason = f"most of the rare class {class_names[index]}"
        reasons.setdefault(split.fullest[index], []).append(reason)
    rng = np.random.default_rng([seed, *split.name.encode()])
    chosen = rng.permutation(len(good))[:count]
    for position in sorted(chosen.tolist()):
        reasons.setdefault(good[position], []).append("drawn by lot")
    return {entry: ", ".join(why) for entry, why in reasons.items()}


def _problem_tables(audit):
    for problem in audit.problems:
        findings = problem.findings
        more = len(findings) - _NAMED
        rest = f" {more} more are in check.json." if more > 0 else ""
        severity = "Error" if problem.severity == ERROR else "Warning"
        yield Table(
            f"{severity}: {problem.title}",
            [
                {"where": finding.place}
                | ({"found": finding.detail} if finding.detail else {})
                for finding in findings[:_NAMED]
            ],
            note=f"To mend it: {problem.advice}.{rest}",
        )


def _split_table(audit):
    rows = [
        {
            "split": name,
            "images": len(split.good),
            "bad records": split.bad,
            "classes seen": int((split.images > 0).sum()),
            "ignored": split.ignored_share,
            "width of ignored bands": split.ignored_width,
            "hidden boundaries": split.hidden_share,
        }
        for name, split in audit.splits.items()
    ]
    return Table(
        "Splits",
        rows,
        bars=("ignored", "hidden boundaries"),
        note=(
            "Ignored: share of all pixels. Width: in pixels, of ignored bands "
            "within the image, the mean over their borders. Hidden "
            "boundaries: share of the boundary pixels of classes that face "
            "ignored pixels alone, so that the true boundary is not known."
        ),
    )


def _tables(audit, split):
    good = split.good
    if not good:
        return
    images = max(len(good), 1)
    yield Table(
        f"Classes of {split.name}",
        [
            {
                "class": name,
                "pixels": int(split.pixels[i]),
                "share": float(split.shares[i]),
                "images": int(split.images[i]),
                "of all images": split.images[i] / images,
                "boundary pixels an image": round(
                    split.boundary[i] / max(split.images[i], 1)
                ),
                "hidden": split.hidden[i] / max(split.boundary[i], 1),
            }
            for i, name in enumerate(audit.info.class_names)
        ],
        colors=audit.info.colors,
        bars=("share", "of all images"),
        note=(
            "Share: of the labelled pixels. Boundary pixels: of those images "
            "that hold the class; a neighbour is of another class or ignored."
        ),
    )
    sizes = split.sizes
    common = sorted(sizes, key=lambda size: (-sizes[size], size))
    rest = sum(sizes[size] for size in common[_LISTED:])
    yield Table(
        f"Sizes of {split.name}",
        [
            {"height x width": "{}x{}".format(*size), "images": sizes[size]}
            for size in common[:_LISTED]
        ],
        note=f"{rest} images have other sizes." if rest else "",
    )
    yield Table(
        f"Most ignored images of {split.name}",
        [
            {"image": str(entry), "ignored": entry.ignored}
            for entry in split.most_ignored(_LISTED)
        ],
        bars=("ignored",),
    )


def _panels(audit, split, samples, seed) -> Iterator[Panel]:
    info = audit.info
    chosen: Mapping = choose_samples(split, info.class_names, samples, seed)
    for entry, why in chosen.items():
        payload = salvage.read_record(entry.path, entry.place)
        example = deserialize_example(payload)
        image, ids = decode_pair(example.image, example.label)
        step = -(-image.shape[1] // _WIDEST)
        ids = ids[::step, ::step]
        small = np.asarray(Image.fromarray(image).reduce(step))
        yield Panel(
            f"{split.name}, {why}: {entry}, "
            f"{100 * entry.ignored:.1f} % ignored",
            {
                "image": small,
                "overlay": overlay(
                    small, ids, info.colors, ignore_label=info.ignore_label
                ),
                "label": colorize(ids, info.colors, info.ignore_label),
            },
        )

"""Reads a whole data set once and says what is wrong with it.

Examples:
  python -m deepgbass.data.check data/camvid
  python -m deepgbass.data.check --output_dir=checks/mine data/mine
  python -m deepgbass.data.check --strict data/mine && python train.py ...

Errors are what training refuses or would learn wrongly; warnings make its
numbers worth less. The exit status is 0 if there are no errors (with --strict,
no warnings either), otherwise 1. --output_dir gets check.html, a page with
tables and samples, and check.json, which names everything that was found.

"ignored" is the share of ignored pixels, "width" the mean width of the bands
that they form, "hidden" the share of the classes' boundary pixels that face
ignored pixels alone, so that nobody knows where the boundary is.
"""

import pathlib
import sys

from absl import app, flags

from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.files import require_writable

# A screen has room for so many problems, with so many names each.
_PROBLEMS, _NAMED = 8, 2


def define_flags():
    """Not at import: this module is also a library."""
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for check.html and check.json; made if absent. Default: the "
        "terminal only.",
    )
    flags.DEFINE_bool("strict", False, "Fail on warnings too.")
    flags.DEFINE_integer(
        "samples",
        4,
        "Images of each split on the page that are drawn by lot, besides the "
        "most ignored ones and those with the rarest classes.",
        lower_bound=0,
    )
    flags.DEFINE_integer("seed", 0, "Draws the samples.", lower_bound=0)
    flags.DEFINE_integer(
        "workers",
        None,
        "Records to look at at a time. Default: one a core.",
        lower_bound=1,
    )


def main(argv):
    if len(argv) != 2:
        raise app.UsageError("name one directory of TFRecords after the flags")
    output_dir = flags.FLAGS.output_dir and pathlib.Path(flags.FLAGS.output_dir)
    if not pathlib.Path(argv[1]).is_dir():
        raise UserError(f"{argv[1]}: no such directory")
    if output_dir:
        require_writable(output_dir)
    cli.import_tensorflow()
    from deepgbass.data.audit import audit_dataset

    audit = audit_dataset(argv[1], flags.FLAGS.workers)
    if output_dir:
        from deepgbass.data.check_json import to_json
        from deepgbass.data.check_page import write_page
        from deepgbass.files import write_atomic

        write_atomic(output_dir / "check.json", to_json(audit))
        write_page(
            output_dir / "check.html",
            audit,
            samples=flags.FLAGS.samples,
            seed=flags.FLAGS.seed,
        )
    passed = not (audit.problems if flags.FLAGS.strict else audit.errors)
    _show(audit, passed, output_dir)
    if not passed:
        sys.exit(1)


def _show(audit, passed, output_dir):
    """Prints at most a screen."""
    from rich.table import Table

    from deepgbass.progress import console

    def say(text):
        # Square brackets in a name are no markup.
        console.print(text)

    info = audit.info
    protocol = f", protocol {info.protocol}" if info.protocol else ""
    say(f"{info.name}: {info.num_classes} classes{protocol}")
    table = Table(box=None, pad_edge=False)
    table.add_column("split", no_wrap=True)
    for heading in ("images", "bad", "size", "classes", "rarest class"):
        # Only these two can be long; without room they take a second line.
        wraps = heading in ("size", "rarest class")
        table.add_column(heading, justify="right", no_wrap=not wraps)
    for heading in ("ignored", "width", "hidden"):
        table.add_column(heading, justify="right", no_wrap=True)
    for split in audit.splits.values():
        cells = (split.name, *_cells(info, split))
        table.add_row(*cells)
    console.print(table)
    for problem in audit.problems[:_PROBLEMS]:
        say(f"{problem.severity}: {problem.describe(_NAMED)}")
    if len(audit.problems) > _PROBLEMS:
        more = len(audit.problems) - _PROBLEMS
        say(f"and {_count(more, 'more problem')}")
    warnings = len(audit.problems) - audit.errors
    verdict = "passed" if passed else "not passed"
    say(
        f"{verdict}: {_count(audit.errors, 'error')}, "
        f"{_count(warnings, 'warning')}"
    )
    if output_dir:
        say(f"{output_dir / 'check.html'} shows samples")
    else:
        say("--output_dir=DIR writes a page with samples, and all findings")


def _cells(info, split):
    """What the terminal says of a split."""
    if not split.good:
        return "0", str(split.bad)
    (index,) = split.rarest(1) or [None]
    rarest = (
        "-"
        if index is None
        else f"{info.class_names[index]} {_percent(split.shares[index])}"
    )
    common = min(split.sizes, key=lambda size: (-split.sizes[size], size))
    others = f" and {len(split.sizes) - 1} more" if len(split.sizes) > 1 else ""
    width = split.ignored_width
    return (
        f"{len(split.good):,}",
        str(split.bad),
        "{}x{}".format(*common) + others,
        f"{(split.images > 0).sum()}/{info.num_classes}",
        rarest,
        _percent(split.ignored_share),
        "-" if width is None else f"{width:.1f} px",
        _percent(split.hidden_share),
    )


def _count(number, noun):
    return f"{number} {noun}{'s' * (number != 1)}"


def _percent(share):
    percent = 100 * share
    return f"{percent:.2g} %" if percent < 10 else f"{percent:.0f} %"


def run():
    define_flags()
    cli.run(main, positional="data set directory")


if __name__ == "__main__":
    run()

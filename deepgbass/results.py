"""Writes tables of trainings into a Markdown file, between its markers.

Examples:
  python -m deepgbass.results --readme=README.md

The file says itself where a table belongs, by lines of their own:

  <!-- results: results/camvid/table.json -->
  <!-- end of results -->

What stands between them is replaced by the table in that file, whose path is
relative to the Markdown's folder, and the command that made it. After the
path, parts of it may be chosen: gains, notes, seeds, forms, bands, costs,
command.
"""

import pathlib
import re

from absl import flags

from deepgbass.ablation import markdown
from deepgbass.ablation.table_file import read_table
from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.files import write_atomic

_BEGIN = re.compile(r"<!-- results: (\S+)((?: \w+)*) -->")
_END = "<!-- end of results -->"


def _command(table):
    words = table["command"].replace(" --", " \\\n    --")
    return f"```sh\n{words}\n```\n"


# Name -> function of a table.
PARTS = {
    "gains": lambda table: markdown.gains(table["rows"]),
    "notes": markdown.notes,
    "seeds": lambda table: markdown.seeds(table["rows"]),
    "forms": lambda table: markdown.forms(table["rows"]),
    "bands": lambda table: markdown.bands(table["rows"]),
    "costs": lambda table: markdown.costs(table["rows"]),
    "command": _command,
}


def section(table, parts=()):
    """What stands between the markers.

    Args:
        table: dict as table.json holds it.
        parts: of `PARTS`, in the order wanted; none: all.

    Raises:
        UserError: a part is none.
    """
    for part in parts:
        if part not in PARTS:
            raise UserError(
                f"there is no part {part!r} of a table; choose from "
                f"{', '.join(PARTS)}"
            )
    return "\n".join(PARTS[part](table) for part in parts or PARTS)


def fill(text, folder):
    """A Markdown text with all its tables as they are now.

    Args:
        text: str.
        folder: that the paths in its markers are relative to.

    Returns:
        (the text, number of tables in it).

    Raises:
        UserError: a marker has no end, or its file is no table.
    """
    lines, filled = iter(text.splitlines(keepends=True)), []
    count = 0
    for line in lines:
        filled.append(line)
        match = _BEGIN.fullmatch(line.strip())
        if match is None:
            continue
        count += 1
        table = read_table(pathlib.Path(folder, match[1]))
        filled.append(f"\n{section(table, match[2].split())}\n")
        for line in lines:
            if line.strip() == _END:
                filled.append(line)
                break
            if _BEGIN.fullmatch(line.strip()):
                raise UserError(
                    f"{line.strip()!r} begins before {match[0]!r} has ended; "
                    f"a line {_END!r} is missing"
                )
        else:
            raise UserError(f"no line {_END!r} follows {match[0]!r}")
    return "".join(filled), count


def define_flags():
    """Not at import: tests import this module too."""
    flags.DEFINE_string(
        "readme", "README.md", "The Markdown file, changed in place."
    )


def main(_):
    path = pathlib.Path(flags.FLAGS.readme)
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise UserError(f"--readme={path}: there is no such file") from None
    filled, count = fill(text, path.parent)
    if not count:
        raise UserError(
            f"--readme={path} has no line <!-- results: PATH --> that says "
            "where a table belongs"
        )
    write_atomic(path, filled)
    changed = "changed" if filled != text else "as it was"
    print(f"{path}: {count} tables, {changed}")


def run():
    define_flags()
    cli.run(main)


if __name__ == "__main__":
    run()

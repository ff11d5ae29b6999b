"""Publishes an exported model with its card: what it is, may do and cannot.

Examples:
  python -m deepgbass.model_card --output_dir=pretrained/camvid \\
      --table=results/camvid/table.json --row=full_64 \\
      runs/camvid/full_64/seed0/export/model_qat_int8.tflite

Copies the model and its description to --output_dir and writes README.md
beside them, all of it from the description and, if there is one, the table of
the trainings that the model is one of.
"""

import dataclasses
import pathlib

from absl import app, flags

from deepgbass.ablation.table_file import read_table
from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.export.description import read_description, write_described
from deepgbass.files import require_writable, write_atomic
from deepgbass.model_card.card import model_card
from deepgbass.model_card.origin import config_of, find_row, published


def define_flags():
    """Not at import: tests import this module too."""
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for the model, its description and its card, README.md.",
        required=True,
    )
    flags.DEFINE_string(
        "table",
        None,
        "table.json of the trainings that the model is one of.",
    )
    flags.DEFINE_string("row", "full", "Key of the model's row in --table.")


def main(argv):
    values = flags.FLAGS
    if len(argv) != 2:
        raise app.UsageError("name one model: MODEL.tflite")
    path = pathlib.Path(argv[1])
    description = read_description(path)
    row = None
    if values.table:
        table = read_table(values.table)
        row = find_row(table, values.row, config_of(description.values))
    inside = published(description.values)
    description = dataclasses.replace(description, values=inside)
    content = path.read_bytes()
    card = model_card(description, len(content), path.name, row)
    require_writable(values.output_dir)
    folder = pathlib.Path(values.output_dir)
    if (folder / "README.md").exists() and not (folder / path.name).exists():
        raise UserError(
            f"--output_dir={folder} has a README.md and no {path.name}, so it "
            "is not this model's card; choose another folder"
        )
    write_described(folder / path.name, content, inside)
    write_atomic(folder / "README.md", card)
    print(f"{folder}: {len(content) / 1e6:.2f} MB, {path.name}, README.md")


def run():
    define_flags()
    cli.run(main, positional="model")


if __name__ == "__main__":
    run()

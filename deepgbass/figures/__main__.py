"""Draws the figures of a table of trainings, as PNG.

Examples:
  python -m deepgbass.figures --workdir=runs/camvid --data_dir=data/camvid \\
      --output_dir=docs/figures
  python -m deepgbass.figures --workdir=results/camvid \\
      --output_dir=docs/figures distance

comparison.png is Fig. 5: input, truth and up to five rows of the table, each
with its first seed whose network is there, their boundary errors, and for
each of --inset_classes the window of the whole split in which the rows differ
most about it.
distance.png is the curve of mIoU against the distance to a boundary, of the
baseline and of the whole method; it needs table.json alone. Without words
after the flags: both.
"""

import pathlib

from absl import app, flags

from deepgbass.ablation.table_file import read_table
from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.files import require_writable

FIGURES = ("comparison", "distance")
_MOST_ROWS = 5


def define_flags():
    """Not at import: tests import this module too."""
    flags.DEFINE_string(
        "workdir",
        None,
        "What deepgbass.ablation wrote: its --workdir, or for distance alone "
        "its --results.",
        required=True,
    )
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for the figures; made if absent.",
        required=True,
    )
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder of TFRecords. The embedded synthetic set needs none.",
    )
    flags.DEFINE_list(
        "inset_classes",
        ["pole", "pedestrian"],
        "Classes to look closer at; each gets an image.",
    )


def main(argv):
    values = flags.FLAGS
    words = argv[1:] or FIGURES
    if unknown := set(words) - set(FIGURES):
        raise app.UsageError(
            f"{min(unknown)} is no figure: {', '.join(FIGURES)}"
        )
    table = read_table(pathlib.Path(values.workdir) / "table.json")
    require_writable(values.output_dir)
    output_dir = pathlib.Path(values.output_dir)
    if "distance" in words:
        from deepgbass.figures.distance import (
            compared_rows,
            save_distance_curve,
        )

        path = output_dir / "distance.png"
        save_distance_curve(path, compared_rows(table["rows"]))
        print(path)
    if "comparison" in words:
        path = output_dir / "comparison.png"
        _compare(path, table, values)
        print(path)


def _compare(path, table, values):
    cli.import_tensorflow()
    from deepgbass.configs import load_config
    from deepgbass.experiment import open_split
    from deepgbass.figures.comparison import Scene, save_comparison
    from deepgbass.figures.insets import choose_insets
    from deepgbass.progress import track

    found = _networks(table, values.workdir)
    config = load_config(next(iter(found.values())).folder)
    dataset = open_split(
        config, values.workdir, values.data_dir, config.data.eval_split
    )
    classes = _class_ids(values.inset_classes, dataset.info)

    def predictions(image):
        return {name: one.predictor(image) for name, one in found.items()}

    insets = choose_insets(
        (
            (example["label"], list(predictions(example["image"]).values()))
            for example in track(
                dataset.examples(), "choosing insets", len(dataset)
            )
        ),
        classes,
    )
    scenes = []
    for inset, example in zip(
        insets, dataset.examples([inset.image for inset in insets]), strict=True
    ):
        image, label = example["image"], example["label"]
        scenes.append(Scene(image, label, predictions(image), inset.window))
    save_comparison(path, scenes, dataset.info)


def _networks(table, workdir):
    """Row -> its first `Network`; a training of two rows counts once."""
    from deepgbass.ablation.networks import first_network

    rows = {}
    for row in table["rows"]:
        rows.setdefault(row["key"], row)
    networks = {}
    for row in list(rows.values())[:_MOST_ROWS]:
        name = row["name"]
        network = first_network(workdir, name, row["key"], row["seeds"])
        if network is None:
            raise UserError(
                f"--workdir={workdir}: there is no network of {name}, which "
                "the comparison needs; give the trainings' own folder"
            )
        networks[name] = network
    return networks


def _class_ids(names, info):
    if not names:
        raise UserError("--inset_classes names no class")
    for name in names:
        if name not in info.class_names:
            raise UserError(
                f"--inset_classes: {info.name} has no class {name!r}; choose "
                f"from {', '.join(info.class_names)}"
            )
    return [info.class_names.index(name) for name in names]


def run():
    define_flags()
    cli.run(main, positional="figures")


if __name__ == "__main__":
    run()

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

import json
import pathlib

from absl import app, flags

from deepgbass.ablation.plan import trial_folder
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
    # Before TensorFlow and the networks take their time.
    rows = _compared(table, values.workdir)
    if not values.inset_classes:
        raise UserError("--inset_classes names no class")
    cli.import_tensorflow()
    from deepgbass.configs import ExperimentConfig
    from deepgbass.experiment import open_split
    from deepgbass.figures.comparison import Scene, save_comparison
    from deepgbass.figures.insets import choose_insets
    from deepgbass.progress import track

    config = ExperimentConfig.from_json(json.dumps(table["config"]))
    dataset = open_split(
        config, values.workdir, values.data_dir, config.data.eval_split
    )
    classes = _class_ids(values.inset_classes, dataset.info)
    networks = _networks(rows, values.workdir)

    def predictions(image):
        return {name: one.predictor(image) for name, one in networks.items()}

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


def _compared(table, workdir):
    """The rows to compare."""
    rows = table["rows"][:_MOST_ROWS]
    for row in rows:
        folders = [trial_folder(workdir, row["key"], s) for s in row["seeds"]]
        if not any((folder / "checkpoints").is_dir() for folder in folders):
            raise _no_network(workdir, row["name"])
    return rows


def _networks(rows, workdir):
    """Row -> its first `Network`."""
    from deepgbass.ablation.networks import first_network

    networks = {}
    for row in rows:
        name = row["name"]
        network = first_network(workdir, name, row["key"], row["seeds"])
        if network is None:
            raise _no_network(workdir, name)
        networks[name] = network
    return networks


def _no_network(workdir, name):
    return UserError(
        f"--workdir={workdir}: there is no network of {name}, which the "
        "comparison needs; give the trainings' own folder"
    )


def _class_ids(names, info):
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

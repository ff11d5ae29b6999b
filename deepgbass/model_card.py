"""Publishes an exported model with its card: what it is, may do and cannot.

Examples:
  python -m deepgbass.model_card --output_dir=pretrained/camvid \\
      --table=results/camvid/table.json \\
      runs/camvid/full/seed0/export/model_int8.tflite

Copies the model and its description to --output_dir and writes README.md
beside them, all of it from the description and, if there is one, the table of
the trainings that the model is one of.
"""

import dataclasses
import hashlib
import json
import pathlib
import textwrap

from absl import app, flags

from deepgbass.ablation import markdown
from deepgbass.ablation.table_file import read_table
from deepgbass.commands import cli
from deepgbass.configs import ExperimentConfig, differences, summary
from deepgbass.errors import UserError
from deepgbass.export.description import read_description, write_described
from deepgbass.files import require_writable, write_atomic
from deepgbass.reports.run_tables import markdown_table

# What may be done with weights that were trained on a data set; more is said
# in docs/datasets.md and datasets/README.md.
_LICENCES = {
    "camvid": "CamVid is for research; cite Brostow, Fauqueur, Cipolla, "
    "*Semantic object classes in video*, 2009. It shows drives through "
    "Cambridge, by day and at dusk.",
    "cityscapes": "Cityscapes has its own terms, for non-commercial purposes "
    "such as research and teaching; cite Cordts et al., 2016.",
    "ade20k32": "ADE20K's images are for non-commercial research and "
    "education; cite Zhou et al., 2017.",
    "synthetic": "The embedded set is drawn by this package and says nothing "
    "about photographs.",
}
# Classes that the card names as the weakest.
_WORST = 3


def model_card(description, size_bytes, file_name, row=None):
    """The card of a model in Markdown.

    Args:
        description: `ModelDescription` of an export with `metrics`.
        size_bytes: of the file.
        file_name: of the model.
        row: None, or the model's row of a table, with its means over seeds.

    Returns:
        str.

    Raises:
        UserError: the description has no metrics.
    """
    values = description.values
    if not values.get("metrics"):
        raise UserError(
            f"{file_name}: its description has no metrics; export the model "
            "with export_tflite.py, which measures it"
        )
    parts = [
        _head(description, size_bytes, file_name),
        _metrics(values, row),
        _data(values),
        _use(description),
        _limits(values),
        _origin(values),
    ]
    return "\n".join(parts)


def _config(values):
    return ExperimentConfig.from_json(json.dumps(values["config"]))


def published(values):
    """A description for others: without the folder of the initial weights.

    Args:
        values: dict of a `ModelDescription`.

    Returns:
        dict.
    """
    text = _without_folder(_config(values)).to_json()
    digest = hashlib.sha256(text.encode()).hexdigest()
    return values | {"config": json.loads(text), "config_sha256": digest}


def _without_folder(config):
    """A configuration whose initial weights are a name alone."""
    if config.train.init_weights is None:
        return config
    name = pathlib.Path(config.train.init_weights).name
    train = dataclasses.replace(config.train, init_weights=name)
    return dataclasses.replace(config, train=train)


def _paragraph(text):
    return textwrap.fill(
        " ".join(text.split()),
        79,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _head(description, size_bytes, file_name):
    values, config = description.values, _config(description.values)
    height, width = description.size
    rows, columns = description.output_size
    given = f"labels {rows}x{columns}"
    if description.output == "logits":
        given = (
            f"logits {rows}x{columns}, to be resized to the image before the "
            "argmax"
        )
    classes = description.dataset.class_names
    text = f"""
        `{file_name}` ({size_bytes / 1e6:.2f} MB, {values["quantization"]})
        gives every pixel of an RGB image one of {len(classes)} classes:
        {", ".join(classes)}. Input: {height}x{width}, smaller images padded,
        larger ones reduced; output: {given}. The file describes itself, as
        does the JSON beside it.
    """
    return f"""# {config.name}: {summary.network(config.model)}

{_paragraph(text)}

```sh
python -m deepgbass.predict --model={file_name} --output_dir=out street.jpg
```
"""


def _metrics(values, row):
    table = markdown_table({values["name"]: values["metrics"]})
    text = f"## Metrics\n\n{table}"
    if row is not None and len(row["seeds"]) > 1:
        text += (
            f"\nOne of {len(row['seeds'])} trainings that differ in the seed "
            "alone. Mean ± standard deviation of all, in %:\n\n"
            f"{markdown.forms([row])}"
        )
    if row is not None:
        text += f"\n{markdown.costs([row])}"
    return text


def _data(values):
    name = values["dataset"]["name"]
    note = _LICENCES.get(name, f"See the terms of {name}.")
    config = _config(values)
    start = "random weights"
    if config.train.init_weights:
        start = f"{config.train.init_weights} ({config.train.init_parts})"
    text = f"""
        Trained on {name}, split {config.data.train_split}, from {start}.
        {note} The code is under Apache-2.0; the weights come from the data,
        whose terms hold for what is done with them.
    """
    return f"## Data and licence\n\n{_paragraph(text)}\n"


def _use(description):
    text = f"""
        To try the method, to compare with, and to start from, on scenes like
        those of {description.dataset.name}. Not for decisions about people,
        for driving, or wherever an error may harm.
    """
    return f"## Intended use\n\n{_paragraph(text)}\n"


def _limits(values):
    form, metrics = list(values["metrics"].items())[-1]
    known = [
        entry for entry in metrics["per_class"] if entry["iou"] is not None
    ]
    worst = sorted(known, key=lambda entry: entry["iou"])[:_WORST]
    words = ", ".join(f"{e['name']} {100 * e['iou']:.1f} %" for e in worst)
    return f"""## Limits

- Least IoU ({form}): {words}.
- Every pixel gets one of the classes, whatever it shows.
- Other cameras, places, weather and light than the data's were not measured,
  and {metrics["images"]} images do not show every situation.
- The metrics are of the split that settings were chosen by.
"""


def _origin(values):
    versions = ", ".join(f"{k} {v}" for k, v in values["versions"].items())
    tuned = ""
    if "qat" in values:
        tuned = f"""
            Then {values["qat"]["steps"]} steps of fine-tuning under the
            rounding of int8, from a rate of
            {values["qat"]["learning_rate"]:g}; they are also more training,
            which is why int8 may be above float.
        """
    return f"""## How it was made

```
{summary.effective(_config(values))}
```

{_paragraph(f"Step {values['step']}. {tuned} With {versions}.")}
"""


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


def find_row(table, key, config):
    """The row of a table that a model is of.

    Args:
        table: dict as table.json holds it.
        key: of the row.
        config: `ExperimentConfig` of the model.

    Raises:
        UserError: there is no such row, or the model is not of its trainings.
    """
    for row in table["rows"]:
        if row["key"] == key:
            break
    else:
        raise UserError(
            f"--row={key}: the table has no such row; choose from "
            f"{', '.join(row['key'] for row in table['rows'])}"
        )
    if config.train.seed not in row["seeds"]:
        raise UserError(
            f"--row={key}: the row has the seeds {row['seeds']}, and the model "
            f"was trained with {config.train.seed}"
        )
    first = ExperimentConfig.from_json(json.dumps(table["config"]))
    found = differences(
        _anonymous(first), _anonymous(config), ("train", "data")
    )
    found += differences(config.with_overrides(row["set"]), config)
    if found:
        raise UserError(
            f"--row={key}: the model was trained otherwise than the row: "
            f"{', '.join(found)}; choose its own row and table"
        )
    return row


def _anonymous(config):
    """Without what trainings of one row, or their copies, differ in."""
    train = dataclasses.replace(_without_folder(config).train, seed=0)
    return dataclasses.replace(config, train=train)


def main(argv):
    values = flags.FLAGS
    if len(argv) != 2:
        raise app.UsageError("name one model: MODEL.tflite")
    path = pathlib.Path(argv[1])
    description = read_description(path)
    row = None
    if values.table:
        table = read_table(values.table)
        row = find_row(table, values.row, _config(description.values))
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

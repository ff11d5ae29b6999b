"""The card of a model: what it is, may do and cannot, from its description."""

import textwrap

from deepgbass.ablation import markdown
from deepgbass.configs import summary
from deepgbass.errors import UserError
from deepgbass.model_card.origin import config_of
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


def _paragraph(text):
    return textwrap.fill(
        " ".join(text.split()),
        79,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _head(description, size_bytes, file_name):
    values, config = description.values, config_of(description.values)
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
    config = config_of(values)
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
{summary.effective(config_of(values))}
```

{_paragraph(f"Step {values['step']}. {tuned} With {versions}.")}
"""

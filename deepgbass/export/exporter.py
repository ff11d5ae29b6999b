"""From a work directory to a TFLite file, measured and described."""

import collections
import dataclasses
import json
import pathlib

import numpy as np

from deepgbass.configs import load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.evaluation import evaluate
from deepgbass.experiment import (
    open_split,
    require_same_network,
    restore_model,
)
from deepgbass.export.tflite import convert, float_ops, list_ops
from deepgbass.files import write_atomic
from deepgbass.predictors import TFLitePredictor, configured, letterbox
from deepgbass.progress import console
from deepgbass.versions import versions


@dataclasses.dataclass(frozen=True)
class ExportResult:
    """What an export made.

    Attributes:
        path: of the `.tflite` file; its description lies beside it.
        name: of the experiment.
        metrics: dict of "float" (the Keras network) and the exported form
            ("int8" or "float_tflite") -> metrics, as `deepgbass.evaluate`
            gives them.
    """

    path: pathlib.Path
    name: str
    metrics: dict


def export(
    workdir,
    output_dir,
    data_dir=None,
    quantization="int8",
    calibration_images=100,
    max_images=None,
    float_metrics=None,
):
    """Exports the newest checkpoint and measures it beside the Keras network.

    Args:
        workdir: folder that train.py made.
        output_dir: folder for `model_int8.tflite` (or `model_float.tflite`)
            and the description `.json` beside it.
        data_dir: folder of records; not needed for the embedded set.
        quantization: "int8" (post-training, full integer) or "float".
        calibration_images: how many training images give the ranges.
        max_images: int or None. Evaluate only so many images.
        float_metrics: the Keras network's metrics on the same images, if
            they were measured already.

    Returns:
        `ExportResult`.

    Raises:
        UserError: no trained network, too few images, or an `output_dir`
            that holds the export of another experiment.
    """
    config, info = load_config(workdir), DatasetInfo.load(workdir)
    dataset = open_split(config, workdir, data_dir, config.data.eval_split)
    require_same_network(config, dataset.info, workdir)
    model, step = restore_model(workdir, batch_size=1)
    size = model.input_shape[1:3]
    path = pathlib.Path(output_dir) / f"model_{quantization}.tflite"
    _refuse_other_export(path, config)

    calibration = None
    if quantization == "int8":
        split = config.data.train_split
        train_set = open_split(config, workdir, data_dir, split)
        calibration = _calibration(
            train_set, calibration_images, size, config.data.resize_longer_side
        )
    console.print(f"Converting to {quantization} at {size[0]}x{size[1]} ...")
    content = convert(model, calibration)
    remaining = float_ops(content) if calibration is not None else []
    if remaining:
        raise AssertionError(f"float operators in an int8 model: {remaining}")

    description = _describe(config, info, step, model, quantization)
    # The predictor reads the description; metrics join it once measured.
    write_atomic(path, content)
    _write_description(path, description)
    if float_metrics is None:
        predictor = configured(model, info, config)
        float_metrics = evaluate(predictor, dataset, max_images)
    form = "int8" if quantization == "int8" else "float_tflite"
    metrics = {
        "float": float_metrics,
        form: evaluate(TFLitePredictor(path), dataset, max_images),
    }
    description["operators"] = collections.Counter(
        name for name, _ in list_ops(content)
    )
    description["metrics"] = metrics
    _write_description(path, description)
    return ExportResult(path, config.name, metrics)


def _refuse_other_export(path, config):
    sidecar = path.with_suffix(".json")
    if not path.exists() and not sidecar.exists():
        return
    try:
        found = json.loads(sidecar.read_text())["config"]
    except (OSError, json.JSONDecodeError, KeyError, TypeError):
        found = None
    if found != json.loads(config.to_json()):
        raise UserError(
            f"--output_dir={path.parent} holds another model "
            f"({path.name}); choose another folder or remove it"
        )


def _calibration(dataset, count, size, longer_side):
    """`count` letterboxed images spread evenly over a split."""
    if len(dataset) < 1 or count < 1:
        raise UserError("quantisation needs at least one calibration image")
    indices = np.unique(np.linspace(0, len(dataset) - 1, count).astype(int))
    return [
        letterbox(example["image"], size, longer_side)[0]
        for example in dataset.examples(indices)
    ]


def _describe(config, info, step, model, quantization):
    _, height, width, _ = model.input_shape
    longer_side = config.data.resize_longer_side
    centres = (
        "aligned corners"
        if config.model.align_corners
        else "half-pixel centres"
    )
    # What a model's user needs of the data set, not where its records lie.
    classes = dataclasses.replace(info, statistics={}, shards={})
    first = f"longer side resized to {longer_side}; " if longer_side else ""
    return {
        "format": "deepgbass-model/1",
        "quantization": quantization,
        "input": {
            "size": [height, width],
            "content": "RGB, 0..255, before the tensor's own quantisation",
            "fit": f"{first}smaller images padded at the bottom and right"
            " with 128, larger ones reduced at the same aspect",
        },
        "output": {
            "content": "logits",
            "size": list(model.output_shape[1:3]),
            "resize": f"bilinear with {centres}, before the argmax",
        },
        "dataset": json.loads(classes.to_json()),
        "step": step,
        "config": json.loads(config.to_json()),
        "versions": versions(),
    }


def _write_description(path, description):
    write_atomic(
        path.with_suffix(".json"), json.dumps(description, indent=2) + "\n"
    )

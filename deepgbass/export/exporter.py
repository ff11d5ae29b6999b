"""From a work directory to a TFLite file, measured and described."""

import collections
import dataclasses
import json
import os
import pathlib

from deepgbass.configs import ExperimentConfig, load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.evaluation import evaluate
from deepgbass.experiment import (
    open_split,
    require_same_network,
    restore_model,
)
from deepgbass.export.calibration import choose_images
from deepgbass.export.describe import describe
from deepgbass.export.description import write_described
from deepgbass.export.graph import check_size
from deepgbass.export.tflite import convert, verify_int8
from deepgbass.export.tflite_graph import read_graph
from deepgbass.files import require_writable, temporary_folder
from deepgbass.predictors import TFLitePredictor, configured
from deepgbass.progress import console


@dataclasses.dataclass(frozen=True)
class ExportResult:
    """What an export made.

    Attributes:
        path: of the `.tflite` file; its description lies beside it.
        name: of the experiment.
        metrics: dict of "float" (the Keras network) and the exported form
            ("int8", "qat_int8" or "float_tflite") -> metrics, as
            `deepgbass.evaluate` gives them.
    """

    path: pathlib.Path
    name: str
    metrics: dict


def export(
    workdir,
    output_dir,
    data_dir=None,
    quantization="int8",
    calibration_images=None,
    max_images=None,
    float_metrics=None,
    *,
    size=None,
    input_type="int8",
    output="logits",
    calibration_sampling="even",
    qat_steps=300,
    qat_learning_rate=1e-4,
):
    """Exports the newest checkpoint and measures it beside the Keras network.

    What `output_dir` holds is replaced at the end, when all is done.

    Args:
        workdir: folder that train.py made.
        output_dir: folder for `model_int8.tflite` (or `model_float.tflite`,
            `model_qat_int8.tflite`) and the description `.json` beside it.
        data_dir: folder of records; not needed for the embedded set.
        quantization: "int8" (post-training, full integer), "qat_int8" (the
            same after some training under rounding, which leaves checkpoints
            in `output_dir/qat` and goes on there if it was cut short) or
            "float".
        calibration_images: how many training images give the ranges; None
            for a number that is enough, see `choose_images`.
        max_images: int or None. Evaluate only so many images.
        float_metrics: the Keras network's metrics on the same images, if
            they were measured already.
        size: (height, width) of the input, pixels; by default
            `data.eval_size`.
        input_type: of an int8 model's input: "int8" or "uint8".
        output: "logits", "labels" or "full"; see `export_graph`.
        calibration_sampling: "even" or "boundary".
        qat_steps: of "qat_int8": optimiser steps, at the run's batch size.
        qat_learning_rate: of "qat_int8": of Adam, decayed to 0.

    Returns:
        `ExportResult`.

    Raises:
        UserError: no trained network, too few images, a size that its strides
            do not divide, an `output_dir` that holds another model, or see
            `qat_training.fine_tuned`.
    """
    config, info = load_config(workdir), DatasetInfo.load(workdir)
    size = tuple(size or config.data.eval_size)
    aligned = config.model.align_corners
    check_size(size, config.model.output_stride, aligned)
    if quantization == "qat_int8":
        # Here, as it needs a package that nothing else does.
        from deepgbass.export import qat, qat_training

        tuning = qat_training.fine_tuning(
            config.train, qat_steps, qat_learning_rate
        )
    output_dir = pathlib.Path(output_dir)
    name = f"model_{quantization}.tflite"
    _refuse_other_model(output_dir, config, size, output)
    dataset = open_split(config, workdir, data_dir, config.data.eval_split)
    require_same_network(config, dataset.info, workdir)
    images = None
    if quantization != "float":
        split = config.data.train_split
        training = open_split(config, workdir, data_dir, split)
        images = choose_images(
            training,
            size,
            config.data.resize_longer_side,
            calibration_images,
            calibration_sampling,
        )
    model, step = restore_model(workdir, size, batch_size=1)
    require_writable(output_dir)

    console.print(f"Converting to {quantization} at {size[0]}x{size[1]} ...")
    if quantization == "qat_int8":
        network = qat_training.fine_tuned(
            model,
            images,
            training,
            dataclasses.replace(config, train=tuning),
            output_dir / "qat",
        )
        content = qat.convert_quantized(network, output, input_type, aligned)
    else:
        content = convert(model, images, output, input_type, aligned)
    if images is not None:
        verify_int8(content, output)

    description = describe(
        content,
        info,
        config,
        quantization=quantization,
        output=output,
        step=step,
    )
    description["operators"] = collections.Counter(
        op.name for op in read_graph(content).operators
    )
    if quantization == "qat_int8":
        description["qat"] = {
            "steps": qat_steps,
            "learning_rate": qat_learning_rate,
        }
    with temporary_folder(output_dir / name) as folder:
        path = folder / name
        # The predictor reads the description; metrics join it once measured.
        write_described(path, content, description)
        if float_metrics is None:
            predictor = configured(model, info, config)
            float_metrics = evaluate(predictor, dataset, max_images)
        form = "float_tflite" if images is None else quantization
        exported = evaluate(TFLitePredictor(path), dataset, max_images)
        metrics = {"float": float_metrics, form: exported}
        write_described(path, content, description | {"metrics": metrics})
        _publish(folder, output_dir)
    return ExportResult(output_dir / name, config.name, metrics)


def _refuse_other_model(folder, config, size, output):
    """Makes sure that the export replaces none but its own earlier ones."""
    for path in sorted(folder.glob("*.tflite")):
        # What the compiler made of a model belongs to it.
        source = path.with_stem(path.stem.removesuffix("_edgetpu"))
        try:
            found = json.loads(source.with_suffix(".json").read_text())
            settings = json.dumps(found["config"])
            same = (
                ExperimentConfig.from_json(settings) == config
                and tuple(found["input"]["size"]) == size
                and found["output"]["content"] == output
            )
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise UserError(
                f"--output_dir={folder} holds another model ({path.name}); "
                "choose another folder or remove it"
            )


def _publish(folder, output_dir):
    """Moves the files of a finished export to their place, the model last.

    A kill in between leaves the earlier model beside a description that does
    not count for it: the one within the model does.
    """
    files = sorted(folder.iterdir(), key=lambda p: p.suffix == ".tflite")
    for path in files:
        os.replace(path, output_dir / path.name)

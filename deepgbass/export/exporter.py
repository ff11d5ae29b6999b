"""From a work directory to a TFLite file, measured and described."""

import collections
import dataclasses
import json
import pathlib

from deepgbass.configs import load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.experiment import (
    open_split,
    require_same_network,
    restore_model,
)
from deepgbass.export.calibration import choose_images
from deepgbass.export.choices import (
    INPUT_TYPES,
    OUTPUTS,
    QUANTIZATIONS,
    SAMPLINGS,
    require_choice,
)
from deepgbass.export.convert import convert
from deepgbass.export.describe import describe
from deepgbass.export.description import write_described
from deepgbass.export.fidelity import measure_fidelity
from deepgbass.export.gates import FidelityError, Gates
from deepgbass.export.graph import check_size, scale_bytes
from deepgbass.export.output_folder import (
    REJECTED,
    discard_rejected,
    exporting,
    publish,
    refuse_other_model,
)
from deepgbass.export.preflight import preflight
from deepgbass.export.result import ExportResult, RejectedExport
from deepgbass.export.sqnr import measure_sqnr
from deepgbass.export.tflite import verify_int8
from deepgbass.export.tflite_reader import read_graph
from deepgbass.files import require_writable, temporary_folder, write_atomic
from deepgbass.predictors import TFLitePredictor, configured
from deepgbass.progress import console, track

# A few images give the ratios within about 1 dB.
SQNR_IMAGES = 8


def export(
    workdir,
    output_dir,
    data_dir=None,
    quantization="int8",
    calibration_images=None,
    max_images=None,
    float_metrics=None,
    *,
    checkpoint="newest",
    size=None,
    input_type="int8",
    output="logits",
    calibration_sampling="even",
    qat_steps=300,
    qat_learning_rate=1e-4,
    gates=None,
    sqnr_images=SQNR_IMAGES,
):
    """Exports a trained network and measures it beside the Keras network.

    What `output_dir` holds is replaced at the end, when all is done and the
    gates let it pass.

    Args:
        workdir: folder that train.py made.
        output_dir: folder for `model_int8.tflite` (or `model_float.tflite`,
            `model_qat_int8.tflite`) and, beside it, the description `.json`,
            `.fidelity.json` and, of an int8 model, `.preflight.json`.
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
        checkpoint: "newest", "best" or a step, as `checkpoints.find` takes
            it.
        size: (height, width) of the input, pixels; by default
            `data.eval_size`.
        input_type: of an int8 model's input: "int8" or "uint8".
        output: "logits", "labels" or "full"; see `export_graph`.
        calibration_sampling: "even" or "boundary".
        qat_steps: of "qat_int8": optimiser steps, at the run's batch size.
        qat_learning_rate: of "qat_int8": of Adam, decayed to 0.
        gates: `Gates`; None lets all pass.
        sqnr_images: how many evaluation images the signal to noise of an int8
            model's operators is measured on; 0 for none.

    Returns:
        `ExportResult`.

    Raises:
        RejectedExport: a drop is above its gate. The export is then kept in
            `output_dir/rejected`, and what `output_dir` holds stays.
        UserError: a word that is none of its choices, no such checkpoint, too
            few images, a size that its strides do not divide, an `output_dir`
            that holds another model, or see `qat_training.fine_tuned`.
    """
    require_choice("quantization", quantization, QUANTIZATIONS)
    require_choice("input_type", input_type, INPUT_TYPES)
    require_choice("output", output, OUTPUTS)
    require_choice("calibration_sampling", calibration_sampling, SAMPLINGS)
    config, info = load_config(workdir), DatasetInfo.load(workdir)
    size = tuple(size or config.data.eval_size)
    longer_side = config.data.resize_longer_side
    aligned = config.model.align_corners
    check_size(size, config.model.output_stride, aligned)
    if quantization == "qat_int8":
        # Here, as it needs a package that nothing else does.
        from deepgbass.export import qat_training

        tuning = qat_training.fine_tuning(
            config.train, qat_steps, qat_learning_rate
        )
    output_dir = pathlib.Path(output_dir)
    path = output_dir / f"model_{quantization}.tflite"
    identity = (config, info.class_names, size, output, input_type)
    refuse_other_model(output_dir, *identity)
    dataset = open_split(config, workdir, data_dir, config.data.eval_split)
    require_same_network(config, dataset.info, workdir)
    images = None
    if quantization != "float":
        split = config.data.train_split
        training = open_split(config, workdir, data_dir, split)
        images = choose_images(
            training,
            size,
            longer_side,
            calibration_images,
            calibration_sampling,
        )
    model, step = restore_model(workdir, size, 1, which=checkpoint)
    require_writable(output_dir)

    with exporting(path):
        # Again: another export may have ended here in the meantime.
        refuse_other_model(output_dir, *identity)
        console.print(
            f"Converting step {step} to {quantization} at "
            f"{size[0]}x{size[1]} ..."
        )
        network = None
        if quantization == "qat_int8":
            network = qat_training.fine_tuned(
                model,
                images,
                training,
                dataclasses.replace(config, train=tuning),
                output_dir / "qat",
            )
        content, reference = convert(
            model, images, network, output, input_type, aligned
        )
        predicted = sqnr = None
        if images is not None:
            verify_int8(content, output)
            predicted = dataclasses.replace(preflight(content), label=path.name)
            if sqnr_images:
                count = min(sqnr_images, len(dataset))
                shown = choose_images(dataset, size, longer_side, count)
                shown = track(shown, "signal to noise", count)
                sqnr = measure_sqnr(reference, content, map(scale_bytes, shown))

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
        description["preflight"] = predicted and predicted.summary()
        if quantization == "qat_int8":
            description["qat"] = {
                "steps": qat_steps,
                "learning_rate": qat_learning_rate,
            }
        with temporary_folder(path) as folder:
            # The predictor reads the description; what is measured joins it.
            made = folder / path.name
            write_described(made, content, description)
            form = "float_tflite" if images is None else quantization
            fidelity = measure_fidelity(
                configured(model, info, config),
                TFLitePredictor(made),
                dataset,
                form,
                sqnr=sqnr,
                max_images=max_images,
                float_metrics=float_metrics,
            )
            description["metrics"] = {
                "float": fidelity.float_metrics,
                form: fidelity.metrics,
            }
            description["fidelity"] = fidelity.summary()
            content = write_described(made, content, description)
            _write_reports(made, content, fidelity, predicted)
            result = ExportResult(
                path, config.name, fidelity, predicted, description
            )
            try:
                (gates or Gates()).check(fidelity)
            except FidelityError as error:
                rejected = output_dir / REJECTED
                publish(folder, rejected)
                raise RejectedExport(
                    f"{error} (it is kept in {rejected}, not exported)",
                    dataclasses.replace(result, path=rejected / path.name),
                ) from None
            publish(folder, output_dir)
        discard_rejected(path)
    return result


def _write_reports(path, content, fidelity, predicted):
    """Writes in full what the description sums up."""
    text = json.dumps(fidelity.to_json(), indent=1) + "\n"
    write_atomic(path.with_suffix(".fidelity.json"), text)
    if predicted is not None:
        predicted = dataclasses.replace(predicted, size_bytes=len(content))
        write_atomic(path.with_suffix(".preflight.json"), predicted.to_json())

"""Exports a trained network to TFLite and measures what that costs.

Examples:
  python export_tflite.py --workdir=runs/demo --output_dir=runs/demo/export
  python export_tflite.py --workdir=runs/camvid --data_dir=DIR \\
      --output_dir=exports/camvid --size=512x1024 --input_type=uint8
  python export_tflite.py --workdir=runs/camvid --data_dir=DIR \\
      --output_dir=exports/phone --output=full
  python export_tflite.py --workdir=runs/camvid --data_dir=DIR \\
      --output_dir=exports/best --checkpoint=best
  python export_tflite.py --workdir=runs/camvid --data_dir=DIR \\
      --output_dir=exports/camvid --quantization=qat_int8 \\
      --max_miou_drop=0.2 --max_mbf_drop=0.5

Writes model_int8.tflite (full-integer, post-training quantisation calibrated
on training images), its description model_int8.json, what it lost against the
float network on the same images (model_int8.fidelity.json), and what the Edge
TPU compiler will map of it (model_int8.preflight.json); then compiles it if
edgetpu_compiler is installed. docs/edge-tpu.md explains all of it.
Fine-tuning for qat_int8 goes on where it was if it is stopped and the same
command is given again.
"""

import re

from absl import flags

from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.export.choices import (
    INPUT_TYPES,
    OUTPUTS,
    QUANTIZATIONS,
    SAMPLINGS,
)
from deepgbass.export.compiler import (
    compile_model,
    find_compiler,
    missing_compiler,
)
from deepgbass.export.gates import Gates

# Flags that say something about one quantisation alone.
_OF_INT8 = (
    "input_type",
    "calibration_images",
    "calibration_sampling",
    "sqnr_images",
    "edgetpu_compiler",
    "require_compile",
)
_OF_QAT = ("qat_steps", "qat_learning_rate")


def define_flags():
    """Not at import: tests import this module beside other commands."""
    flags.DEFINE_string(
        "workdir", None, "Folder that train.py made.", required=True
    )
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for the model and its description; made if absent.",
        required=True,
    )
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder of TFRecords to calibrate and evaluate on. The embedded "
        "synthetic set needs none.",
    )
    flags.DEFINE_string(
        "checkpoint",
        "newest",
        "Which of the run's: newest, best or a step. Best is, of those that "
        "were evaluated, the one of the best mIoU and mBF (train.best_by).",
    )
    flags.DEFINE_enum(
        "quantization",
        "int8",
        QUANTIZATIONS,
        "Numbers of the exported model. qat_int8 fine-tunes the network under "
        "the rounding of int8 first, with the run's own loss, data and batch "
        "size.",
    )
    flags.DEFINE_integer(
        "qat_steps", None, "Steps of qat_int8. Default: 300.", lower_bound=1
    )
    flags.DEFINE_float(
        "qat_learning_rate",
        None,
        "Learning rate of qat_int8, decayed to 0. Default: 1e-4.",
    )
    flags.DEFINE_string(
        "size",
        None,
        "HEIGHTxWIDTH of the input in pixels, multiples of the network's "
        "output stride. Default: data.eval_size of the configuration.",
    )
    flags.DEFINE_enum(
        "input_type",
        None,
        INPUT_TYPES,
        "What an int8 model takes: uint8, an image's bytes as they are, or "
        "int8, the bytes less 128. Default: int8.",
    )
    flags.DEFINE_enum(
        "output",
        "logits",
        OUTPUTS,
        "What the model gives: logits at the network's stride, all of which "
        "can run on an Edge TPU; labels, their argmax at that stride; or full, "
        "labels at the input's size. The argmax, and the resize of full, run "
        "on the CPU of an Edge TPU's host: labels and full are for phones.",
    )
    flags.DEFINE_integer(
        "calibration_images",
        None,
        "How many training images the activations' ranges are taken from. "
        "Default: 50, or all of a smaller split.",
        lower_bound=1,
    )
    flags.DEFINE_enum(
        "calibration_sampling",
        "even",
        SAMPLINGS,
        "Which images: spread evenly over the split, or of every few "
        "neighbours the one with the most boundaries between classes.",
    )
    flags.DEFINE_integer(
        "max_images",
        None,
        "Evaluate on the first so many images only. Default: all.",
        lower_bound=1,
    )
    flags.DEFINE_float(
        "max_miou_drop",
        None,
        "Points of mIoU that the export may lose on the images evaluated. One "
        "that loses more is kept in rejected/ below --output_dir, an earlier "
        "export stays, and the exit status is not 0.",
    )
    flags.DEFINE_float(
        "max_mbf_drop", None, "The same for points of mBF at 0.75 %."
    )
    flags.DEFINE_integer(
        "sqnr_images",
        8,
        "Evaluation images for the signal to noise of each int8 operator; 0 "
        "for none. 8 take a third of what calibrating on 50 takes.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "edgetpu_compiler",
        None,
        "The compiler for the Edge TPU. Default: edgetpu_compiler on PATH; "
        "without one, nothing is compiled.",
    )
    flags.DEFINE_bool(
        "require_compile", False, "Fail if there is no edgetpu_compiler."
    )


def parse_size(text):
    """(height, width) of words like "512x1024"; None for None.

    Raises:
        UserError: they are not of that form.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not match:
        raise UserError(
            f"--size={text} is not HEIGHTxWIDTH in pixels, such as 512x1024"
        )
    return int(match[1]), int(match[2])


def main(_):
    values = flags.FLAGS
    size = parse_size(values.size)
    gates = Gates(values.max_miou_drop, values.max_mbf_drop)
    quantization = values.quantization
    if quantization == "float":
        _refuse_given(_OF_INT8, "int8 and qat_int8")
    if quantization != "qat_int8":
        _refuse_given(_OF_QAT, "qat_int8")
    program = find_compiler(values.edgetpu_compiler)
    if program is None and values.require_compile:
        raise UserError(missing_compiler())
    cli.import_tensorflow()
    from deepgbass.export.exporter import export
    from deepgbass.export.result import RejectedExport
    from deepgbass.export.summary import print_compilation, print_summary

    try:
        result = export(
            values.workdir,
            values.output_dir,
            data_dir=values.data_dir,
            quantization=quantization,
            calibration_images=values.calibration_images,
            max_images=values.max_images,
            checkpoint=values.checkpoint,
            size=size,
            input_type=values.input_type or "int8",
            output=values.output,
            calibration_sampling=values.calibration_sampling,
            gates=gates,
            sqnr_images=values.sqnr_images,
            **{k: values[k].value for k in _OF_QAT if values[k].present},
        )
    except RejectedExport as rejected:
        print_summary(rejected.result)
        raise
    print_summary(result)
    if result.preflight is None:
        return
    compilation = compile_model(
        result.path,
        predicted=result.preflight.counts,
        description=result.description,
        program=program,
        require=values.require_compile,
    )
    if compilation is not None:
        print_compilation(compilation)


def _refuse_given(names, of):
    """Refuses flags that say nothing about the quantisation asked for."""
    for name in names:
        if flags.FLAGS[name].present:
            raise UserError(
                f"--{name} is for --quantization={of}, not for "
                f"--quantization={flags.FLAGS.quantization}"
            )


def run():
    define_flags()
    cli.run(main)


if __name__ == "__main__":
    run()

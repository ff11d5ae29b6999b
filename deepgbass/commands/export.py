"""Exports a trained network to TFLite and measures what that costs.

Examples:
  python export_tflite.py --workdir=runs/demo --output_dir=runs/demo/export
  python export_tflite.py --workdir=runs/camvid --data_dir=DIR \\
      --output_dir=exports/camvid --size=512x1024 --input_type=uint8
  python export_tflite.py --workdir=runs/camvid --data_dir=DIR \\
      --output_dir=exports/phone --output=full
  python export_tflite.py --workdir=runs/camvid --data_dir=DIR \\
      --output_dir=exports/camvid --quantization=qat_int8

Writes model_int8.tflite (full-integer, post-training quantisation calibrated
on training images) and its description model_int8.json, and prints mIoU and
mBF of the float and the exported network on the same images.
Fine-tuning for qat_int8 goes on where it was if it is stopped and the same
command is given again.
"""

import re

from absl import flags

from deepgbass.commands import cli
from deepgbass.errors import UserError

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder that train.py made.", required=True
)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir",
    None,
    "Folder for the model and its description; made if absent.",
    required=True,
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of TFRecords to calibrate and evaluate on. The embedded "
    "synthetic set needs none.",
)
_QUANTIZATION = flags.DEFINE_enum(
    "quantization",
    "int8",
    ["int8", "qat_int8", "float"],
    "Numbers of the exported model. qat_int8 fine-tunes the network under the "
    "rounding of int8 first, with the run's own loss, data and batch size.",
)
_QAT_STEPS = flags.DEFINE_integer(
    "qat_steps", None, "Steps of qat_int8. Default: 300.", lower_bound=1
)
_QAT_LEARNING_RATE = flags.DEFINE_float(
    "qat_learning_rate",
    None,
    "Learning rate of qat_int8, decayed to 0. Default: 1e-4.",
)
_SIZE = flags.DEFINE_string(
    "size",
    None,
    "HEIGHTxWIDTH of the input in pixels, multiples of the network's output "
    "stride. Default: data.eval_size of the configuration.",
)
_INPUT_TYPE = flags.DEFINE_enum(
    "input_type",
    None,
    ["int8", "uint8"],
    "What an int8 model takes: uint8, an image's bytes as they are, or int8, "
    "the bytes less 128. Default: int8.",
)
_OUTPUT = flags.DEFINE_enum(
    "output",
    "logits",
    ["logits", "labels", "full"],
    "What the model gives: logits at the network's stride, all of which can "
    "run on an Edge TPU; labels, their argmax at that stride; or full, labels "
    "at the input's size. The argmax, and the resize of full, run on the CPU "
    "of an Edge TPU's host: labels and full are for phones.",
)
_CALIBRATION_IMAGES = flags.DEFINE_integer(
    "calibration_images",
    None,
    "How many training images the activations' ranges are taken from. "
    "Default: 50, or all of a smaller split.",
    lower_bound=1,
)
_CALIBRATION_SAMPLING = flags.DEFINE_enum(
    "calibration_sampling",
    "even",
    ["even", "boundary"],
    "Which images: spread evenly over the split, or of every few neighbours "
    "the one with the most boundaries between classes.",
)
_MAX_IMAGES = flags.DEFINE_integer(
    "max_images",
    None,
    "Evaluate on the first so many images only. Default: all.",
    lower_bound=1,
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
    size = parse_size(_SIZE.value)
    if _QUANTIZATION.value == "float" and _INPUT_TYPE.value:
        raise UserError(
            f"--input_type={_INPUT_TYPE.value} is for --quantization=int8: "
            "a float model takes RGB 0..255 as float32"
        )
    tuning = {"qat_steps": _QAT_STEPS, "qat_learning_rate": _QAT_LEARNING_RATE}
    tuning = {n: f.value for n, f in tuning.items() if f.value is not None}
    if tuning and _QUANTIZATION.value != "qat_int8":
        raise UserError(
            f"--{next(iter(tuning))} is for --quantization=qat_int8, not for "
            f"--quantization={_QUANTIZATION.value}"
        )
    cli.import_tensorflow()
    from deepgbass.export.exporter import export
    from deepgbass.run_tables import print_metrics

    result = export(
        _WORKDIR.value,
        _OUTPUT_DIR.value,
        data_dir=_DATA_DIR.value,
        quantization=_QUANTIZATION.value,
        calibration_images=_CALIBRATION_IMAGES.value,
        max_images=_MAX_IMAGES.value,
        size=size,
        input_type=_INPUT_TYPE.value or "int8",
        output=_OUTPUT.value,
        calibration_sampling=_CALIBRATION_SAMPLING.value,
        **tuning,
    )
    print_metrics({result.name: result.metrics})
    print(f"Model: {result.path} ({result.path.stat().st_size / 1e6:.2f} MB)")
    if _OUTPUT.value != "logits":
        print(
            "Its argmax does not run on an Edge TPU but on the host's CPU; "
            "--output=logits leaves it to the program that reads the output."
        )


def run():
    cli.run(main)


if __name__ == "__main__":
    run()

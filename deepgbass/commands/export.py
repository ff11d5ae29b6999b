"""Exports a trained network to TFLite and measures what that costs.

Examples:
  python export_tflite.py --workdir=runs/demo --output_dir=runs/demo/export
  python export_tflite.py --workdir=runs/camvid --data_dir=DIR \\
      --output_dir=exports/camvid --calibration_images=200

Writes model_int8.tflite (full-integer, post-training quantisation calibrated
on training images) and its description model_int8.json, and prints mIoU and
mBF of the float and the exported network on the same images.
"""

from absl import flags

from deepgbass.commands import cli

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
    "quantization", "int8", ["int8", "float"], "Numbers of the exported model."
)
_CALIBRATION_IMAGES = flags.DEFINE_integer(
    "calibration_images",
    100,
    "How many training images the activations' ranges are taken from.",
    lower_bound=1,
)
_MAX_IMAGES = flags.DEFINE_integer(
    "max_images",
    None,
    "Evaluate on the first so many images only. Default: all.",
    lower_bound=1,
)


def main(_):
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
    )
    print_metrics({result.name: result.metrics})
    print(f"Model: {result.path} ({result.path.stat().st_size / 1e6:.2f} MB)")


def run():
    cli.run(main)


if __name__ == "__main__":
    run()

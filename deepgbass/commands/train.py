"""Trains and evaluates a DeepGBASS network.

Examples:
  python train.py --config=demo --workdir=runs/demo
  python train.py --config=camvid --workdir=runs/camvid --data_dir=DIR
  python train.py --config=camvid --workdir=runs/ce --data_dir=DIR \\
      --set loss.name=cross_entropy --set train.steps=1500

A run that was stopped goes on where it was when the same command is given
again. The work directory holds config.json, checkpoints, TensorBoard logs,
metrics.json and report.html.
"""

import sys

from absl import flags

from deepgbass.commands import cli
from deepgbass.configs import load_config
from deepgbass.presets import PRESETS, get_config

_CONFIG = flags.DEFINE_string(
    "config",
    None,
    f"A preset ({', '.join(sorted(PRESETS))}) or a JSON file such as the "
    "config.json of a work directory. Default: what --workdir holds.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder for checkpoints, logs and results; made if absent.",
    required=True,
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of TFRecords with dataset.json (see datasets/README.md). The "
    "embedded synthetic set needs none.",
)
_MODE = flags.DEFINE_enum(
    "mode",
    "train_and_eval",
    ["train", "eval", "train_and_eval"],
    "What to do.",
)
_SET = flags.DEFINE_multi_string(
    "set",
    [],
    "section.field=value: changes a field of the configuration, e.g. "
    "loss.name=cross_entropy. May be repeated.",
)


def main(_):
    config = _CONFIG.value and get_config(_CONFIG.value)
    if config is None:
        config = load_config(_WORKDIR.value)
    config = config.with_overrides(_SET.value)
    cli.import_tensorflow()
    from deepgbass.run_report import evaluate_run, measure_checkpoint
    from deepgbass.training import Interrupted, train

    workdir, data_dir = _WORKDIR.value, _DATA_DIR.value
    if _MODE.value != "eval":
        try:
            train(
                config,
                workdir,
                data_dir,
                on_eval=lambda: measure_checkpoint(workdir, data_dir),
            )
        except Interrupted as interruption:
            print(interruption)
            sys.exit(interruption.status)
    if _MODE.value != "train":
        evaluate_run(config, workdir, data_dir)


def run():
    cli.run(main)


if __name__ == "__main__":
    run()

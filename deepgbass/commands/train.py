"""Trains and evaluates a DeepGBASS network.

Examples:
  python train.py --list_configs
  python train.py --config=demo --workdir=runs/demo
  python train.py --config=camvid --data_dir=DIR
  python train.py --config=camvid --workdir=runs/ce --data_dir=DIR \\
      --set loss.name=cross_entropy --set train.steps=1500
  python train.py --config=cityscapes_mnedge_full --data_dir=DIR \\
      --set train.init_weights=mobilenet_edgetpu_224_1.0_uint8.tflite

A run that was stopped goes on where it was when the same command is given
again. The work directory holds config.json, checkpoints, TensorBoard logs,
metrics.json and report.html.
"""

import pathlib
import sys

from absl import flags

from deepgbass.commands import cli
from deepgbass.configs import load_config, summary
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.presets import PRESETS_BY_DATA, get_config, note_other_data
from deepgbass.training.cluster import STRATEGIES, check_strategy


def define_flags():
    """Not at import: tests import this module beside other commands."""
    flags.DEFINE_string(
        "config",
        None,
        "A preset (see --list_configs) or a JSON file such as the config.json "
        "of a work directory. Default: what --workdir holds.",
    )
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder for checkpoints, logs and results; made if absent. Default: "
        "runs/ and the configuration's name.",
    )
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder of TFRecords with dataset.json (see datasets/README.md). The "
        "embedded synthetic set needs none.",
    )
    flags.DEFINE_enum(
        "mode",
        "train_and_eval",
        ["train", "eval", "train_and_eval"],
        "What to do.",
    )
    flags.DEFINE_enum(
        "strategy",
        "auto",
        list(STRATEGIES),
        "The devices to train on, see docs/distributed.md. auto: what "
        "TF_CONFIG and TPU_NAME name, else all GPUs, else one device.",
    )
    flags.DEFINE_string(
        "checkpoint",
        "newest",
        "What --mode=eval measures: newest, best or a step.",
    )
    flags.DEFINE_multi_string(
        "set",
        [],
        "section.field=value: changes a field of the configuration, e.g. "
        "loss.name=cross_entropy. May be repeated.",
    )
    flags.DEFINE_bool(
        "list_configs", False, "Shows the presets and does nothing else."
    )


def main(_):
    values = flags.FLAGS
    if values.list_configs:
        _print_presets()
        return
    if values.config is None and values.workdir is None:
        raise UserError(
            "give --config=NAME to begin, or --workdir=DIR to go on with "
            "what is there"
        )
    if values.config is None:
        config = load_config(values.workdir)
    else:
        config = get_config(values.config)
    config = config.with_overrides(values.set)
    workdir = pathlib.Path(values.workdir or f"runs/{config.name}")
    data_dir = values.data_dir
    print(f"Work directory: {workdir}")
    print(summary.effective(config), flush=True)
    trains, evaluates = values.mode != "eval", values.mode != "train"
    if trains and values.checkpoint != "newest":
        raise UserError(
            f"--checkpoint={values.checkpoint} is for --mode=eval; training "
            "goes on at the newest"
        )
    _look_at_data(config, data_dir)
    if not trains:
        load_config(workdir)
    name, cluster = "one", None
    if trains:
        name, cluster = check_strategy(values.strategy, config.train.batch_size)
    strategy = cli.import_tensorflow(
        lambda: _prepare(config, data_dir, name, cluster)
    )
    from deepgbass.evaluation.run_evaluation import (
        CheckpointMeter,
        evaluate_run,
    )
    from deepgbass.reports.run_tables import print_metrics
    from deepgbass.training import workers
    from deepgbass.training.loop import Interrupted, train

    chief = workers.is_chief(strategy)
    with workers.lost_workers_named(strategy):
        if trains:
            meter = CheckpointMeter(workdir, data_dir) if chief else None
            try:
                train(config, workdir, data_dir, meter, strategy)
            except Interrupted as interruption:
                print(interruption)
                sys.exit(interruption.status)
        if evaluates and chief:
            run = evaluate_run(
                config, workdir, data_dir, which=values.checkpoint
            )
            print_metrics({run.name: run.metrics})
            print(f"Report: {(workdir / 'report.html').resolve()}")
        # The others may not leave while the chief evaluates.
        workers.wait_for_all(strategy)


def _look_at_data(config, data_dir):
    """Finds missing data at once; says if they are another preset's."""
    config.require_data_dir(data_dir)
    if config.data.source == "synthetic":
        return
    note_other_data(config, DatasetInfo.load(data_dir), data_dir)


def _prepare(config, data_dir, name, cluster):
    """What must be settled before TensorFlow's first operation."""
    from deepgbass.training import determinism, distribution

    if config.train.deterministic:
        determinism.make_deterministic()
    return distribution.make_strategy(
        name,
        cluster,
        batch_size=config.train.batch_size,
        facts=distribution.run_facts(config, data_dir),
    )


def _print_presets():
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("name", "network", "loss", "data set"):
        table.add_column(name)
    table.add_column("batch", justify="right")
    table.add_column("optimizer")
    for name in ("rate", "steps"):
        table.add_column(name, justify="right")
    for data, configs in PRESETS_BY_DATA.items():
        for config in configs:
            train = config.train
            table.add_row(
                config.name,
                summary.network(config.model),
                summary.loss(config.loss),
                data,
                str(train.batch_size),
                train.optimizer,
                f"{train.learning_rate:g}",
                f"{train.steps:,}",
            )
    # Whole rows whatever the terminal: a name cut short is of no use.
    Console(width=120).print(table)


def run():
    define_flags()
    cli.run(main)


if __name__ == "__main__":
    run()

"""Trains, evaluates and exports the rows of a table, side by side.

Examples:
  python -m deepgbass.ablation --table=demo --workdir=runs/demo
  python -m deepgbass.ablation --table=camvid_losses --workdir=runs/losses \\
      --data_dir=DIR --results=results/first_slice.json

Every row has the same schedule, seed and order of images. The command may be
stopped at any moment; given again, it goes on where it was. The work
directory gets a folder a row, table.json, table.md and report.html.
"""

import dataclasses
import json
import pathlib
import shlex
import sys

from absl import flags

from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.files import write_atomic
from deepgbass.presets import get_config


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """A table of experiments that differ in a few fields.

    Attributes:
        preset: the configuration that all rows share.
        rows: name of a row -> its `section.field=value` words; the first
            row is the baseline.
    """

    preset: str
    rows: dict[str, tuple[str, ...]]


TABLES = {
    "demo": TableSpec(
        "demo",
        {
            "DeepLab": ("model.decoder=none", "loss.name=cross_entropy"),
            "DeepGBASS": (),
        },
    ),
    "camvid_losses": TableSpec(
        "camvid",
        {
            "cross-entropy": ("loss.name=cross_entropy",),
            "SBAL": (),
        },
    ),
}

_TABLE = flags.DEFINE_enum(
    "table", None, sorted(TABLES), "Which table to make.", required=True
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder for all runs; made if absent.", required=True
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of TFRecords. The embedded synthetic set needs none.",
)
_SET = flags.DEFINE_multi_string(
    "set", [], "section.field=value for every row. May be repeated."
)
_RESULTS = flags.DEFINE_string(
    "results", None, "JSON file to write the table to, besides table.json."
)


def main(_):
    spec = TABLES[_TABLE.value]
    base = get_config(spec.preset).with_overrides(_SET.value)
    configs = {
        name: base.with_overrides(words) for name, words in spec.rows.items()
    }
    workdir = pathlib.Path(_WORKDIR.value)
    if _RESULTS.value:
        # Now, not after hours: an unusable path raises here.
        results = pathlib.Path(_RESULTS.value)
        results.parent.mkdir(parents=True, exist_ok=True)
        if results.is_dir():
            raise UserError(f"--results={results} is a folder, not a file")
    cli.import_tensorflow()
    from deepgbass.experiment import open_split
    from deepgbass.progress import console
    from deepgbass.run_report import report_runs
    from deepgbass.run_tables import markdown_table, print_metrics
    from deepgbass.training import Interrupted

    dataset = open_split(base, workdir, _DATA_DIR.value, base.data.eval_split)
    data_dir = dataset.data_dir  # one for all rows
    runs = []
    for name, config in configs.items():
        console.rule(name)
        try:
            runs.append(_run_row(name, config, workdir, data_dir))
        except Interrupted as interruption:
            print(interruption)
            sys.exit(interruption.status)
    report = workdir / "report.html"
    report_runs(report, f"Ablation: {_TABLE.value}", runs, dataset)
    table = json.dumps(_table(spec, base, runs), indent=2) + "\n"
    write_atomic(workdir / "table.json", table)
    if _RESULTS.value:
        write_atomic(_RESULTS.value, table)
    results = {run.name: run.metrics for run in runs}
    write_atomic(workdir / "table.md", markdown_table(results))
    print_metrics(results)
    console.print(f"Report: {report.resolve()}")


def _run_row(name, config, workdir, data_dir):
    """Trains, evaluates and exports one row, as far as it is not done."""
    from deepgbass.export.exporter import export
    from deepgbass.run_evaluation import CheckpointMeter, evaluate_run
    from deepgbass.training import train

    row_dir = workdir / "".join(c if c.isalnum() else "_" for c in name)
    train(config, row_dir, data_dir, CheckpointMeter(row_dir, data_dir))
    run = evaluate_run(config, row_dir, data_dir, name)
    exported = export(
        row_dir,
        row_dir / "export",
        data_dir,
        float_metrics=run.metrics["float"],
    )
    return dataclasses.replace(run, metrics=exported.metrics)


def _table(spec, base, runs):
    """What `results/` keeps: the numbers and how to make them again."""
    from deepgbass.versions import versions

    return {
        "command": shlex.join(
            ["python", "-m", "deepgbass.ablation", *sys.argv[1:]]
        ),
        "config": json.loads(base.to_json()),
        "versions": versions(),
        "rows": [
            {"name": run.name, "set": spec.rows[run.name], **run.metrics}
            for run in runs
        ],
    }


def run():
    cli.run(main)


if __name__ == "__main__":
    run()

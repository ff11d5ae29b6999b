"""Trains, evaluates and exports the rows of a table, side by side.

Examples:
  python -m deepgbass.ablation --table=demo --workdir=runs/demo
  python -m deepgbass.ablation --table=camvid --workdir=runs/camvid \\
      --data_dir=data/camvid --init_weights=mobilenet_edgetpu.tflite \\
      --qat --results=results/camvid
  python -m deepgbass.ablation --table=camvid --workdir=runs/camvid \\
      --data_dir=data/camvid --rows=baseline,full --seeds=0,1 --parallel=2
  python -m deepgbass.ablation --table=camvid_study --workdir=runs/study \\
      --data_dir=data/camvid --rows=default,threshold_0.2,reading_binary

Every row has the same schedule, and with the same seed the same order of
images and crops. The command may be stopped at any moment; given again, it
goes on where it was. The work directory gets a folder ROW/seedN for every
training with its log beside it, and after each table.json and table.md of
all rows that are done. In the end come the times and report.html: name rows
that are done as --rows to have them earlier.
"""

import importlib.util
import pathlib
import shlex
import sys

from absl import flags

from deepgbass.ablation.output import finish_table, save_table
from deepgbass.ablation.plan import plan_trials
from deepgbass.ablation.processes import Stopped, run_trials
from deepgbass.ablation.summary import (
    read_trials,
    require_same,
    table_conditions,
)
from deepgbass.ablation.tables import TABLES, row_configs
from deepgbass.commands import cli
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.files import require_writable
from deepgbass.presets import note_other_data
from deepgbass.progress import console
from deepgbass.zoo.formats import identify


def define_flags():
    """Not at import: the process that measures times imports this too."""
    flags.DEFINE_enum(
        "table", None, sorted(TABLES), "Which table to make.", required=True
    )
    flags.DEFINE_string(
        "workdir", None, "Folder for all trainings; made if absent.",
        required=True,
    )  # fmt: skip
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder of TFRecords. The embedded synthetic set needs none.",
    )
    flags.DEFINE_string(
        "init_weights",
        None,
        "Published weights that all rows start from (docs/zoo.md); the paper "
        "starts from ImageNet's. Default: random weights.",
    )
    flags.DEFINE_list(
        "rows",
        [],
        "Rows to work on, by the names of their folders, e.g. baseline,full. "
        "Default: all. The table shows all that are done.",
    )
    flags.DEFINE_list(
        "seeds", None, "Seeds of every row, e.g. 0,1,2. Default: the table's."
    )
    flags.DEFINE_bool("qat", False, "Also fine-tune the whole method for int8.")
    flags.DEFINE_integer(
        "parallel",
        1,
        "Trainings at a time, which share the cores.",
        lower_bound=1,
    )
    flags.DEFINE_multi_string(
        "set", [], "section.field=value for every row. May be repeated."
    )
    flags.DEFINE_string(
        "results",
        None,
        "Folder for a copy of the table and of the small files of each "
        "training: configuration, versions, measurements, logs.",
    )


def main(_):
    values = flags.FLAGS
    name, workdir = values.table, pathlib.Path(values.workdir)
    spec, words = TABLES[name], list(values.set)
    if values.init_weights:
        words.append(f"train.init_weights={values.init_weights}")
    configs = row_configs(name, words)
    trials = plan_trials(
        spec,
        configs,
        workdir,
        keys=values.rows,
        seeds=_parse_seeds(values.seeds),
        qat=values.qat,
    )
    _check_files(values, configs)
    _check_folders(values, spec, configs, trials)
    data_dir = _data_dir(next(iter(configs.values())), workdir, values.data_dir)
    made_by = values.results, _command(values)

    def save():
        try:
            save_table(name, configs, workdir, *made_by)
        except OSError as error:  # The trainings go on; it is told in the end.
            console.print(f"warning: the table cannot be written yet: {error}")

    try:
        failed = run_trials(trials, data_dir, values.parallel, after=save)
    except Stopped as stopped:
        print(stopped)
        sys.exit(stopped.status)
    if any(read_trials(workdir, spec.keys).values()):
        finish_table(name, configs, workdir, data_dir, *made_by)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(trials)} trainings failed: "
            f"{'; '.join(trial.name for trial in failed)}; their logs are "
            f"e.g. {failed[0].folder.with_suffix('.log')}"
        )


def _parse_seeds(words):
    if words is None:
        return None
    if not words or not all(word.isdecimal() for word in words):
        raise UserError(
            f"--seeds={','.join(words)} are not whole numbers from 0, such as "
            "0,1,2"
        )
    return tuple(dict.fromkeys(map(int, words)))


def _command(values):
    """The command that makes the whole table, whatever part was done last."""
    words = [
        f"--{name}={values[name].value}"
        for name in ("table", "workdir", "data_dir", "init_weights", "results")
        if values[name].value is not None
    ]
    words += [word for text in values.set for word in ("--set", text)]
    words += ["--qat"] * values.qat
    return shlex.join(["python", "-m", "deepgbass.ablation", *words])


def _check_files(values, configs):
    """Refuses, before hours are spent, what would fail after them."""
    if values.qat:
        if not any(row.is_full for row in TABLES[values.table].rows):
            raise UserError(
                f"--qat: --table={values.table} has no row of the whole method"
            )
        if importlib.util.find_spec("tensorflow_model_optimization") is None:
            raise UserError(
                "--qat needs tensorflow_model_optimization: "
                "pip install 'deepgbass[qat]'"
            )
    some = next(iter(configs.values()))
    if some.train.init_weights is None:
        console.print(
            "Random initial weights; the paper starts from ImageNet's: "
            "--init_weights=PATH (docs/zoo.md)"
        )
    else:
        try:
            identify(some.train.init_weights)
        except UserError as error:
            raise UserError(f"--init_weights: {error}") from None
    if some.data.source != "synthetic":
        folder = values.data_dir
        if not folder or not pathlib.Path(folder, "dataset.json").is_file():
            raise UserError(
                f"--table={values.table} reads TFRecords: give their folder, "
                f"with dataset.json, as --data_dir, not {folder!r} "
                "(datasets/README.md)"
            )
        note_other_data(some, DatasetInfo.load(folder), folder)


def _check_folders(values, spec, configs, trials):
    """Refuses folders that hold other trainings, done or half done."""
    for folder in filter(None, (values.workdir, values.results)):
        found = read_trials(folder, spec.keys)
        require_same(folder, found, configs)
        if any(found.values()):
            table_conditions(found)
    cli.import_tensorflow()
    from deepgbass.experiment import check_workdir

    for trial in trials:
        check_workdir(trial.config, trial.folder)
    for flag in ("workdir", "results"):
        if values[flag].value is not None:
            require_writable(values[flag].value, flag)


def _data_dir(config, workdir, data_dir):
    """The folder of records; the embedded set is written, once for all."""
    if config.data.source != "synthetic":
        return data_dir
    from deepgbass.data.synthetic import write_synthetic

    data_dir = pathlib.Path(data_dir or workdir / "data")
    write_synthetic(data_dir)
    return data_dir


def run():
    define_flags()
    cli.run(main)


if __name__ == "__main__":
    run()

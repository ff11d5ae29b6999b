"""Trains, evaluates and exports the rows of a table, side by side.

Examples:
  python -m deepgbass.ablation --table=demo --workdir=runs/demo
  python -m deepgbass.ablation --table=camvid --workdir=runs/camvid \\
      --data_dir=data/camvid --init_weights=mobilenet_edgetpu.tflite \\
      --set train.steps=5600 --results=results/camvid
  python -m deepgbass.ablation --table=camvid --workdir=runs/camvid \\
      --data_dir=data/camvid --rows=baseline,full --seeds=0,1 --parallel=2
  python -m deepgbass.ablation --table=camvid_study --workdir=runs/study \\
      --data_dir=data/camvid --rows=default,threshold_0.2,reading_binary

Every row has the same schedule, and with the same seed the same order of
images and crops. The command may be stopped at any moment; given again, it
goes on where it was. The work directory gets a folder ROW/seedN for every
training with its log beside it, table.json, table.md and report.html, of the
rows that are done so far.
"""

import pathlib
import shlex
import sys

from absl import flags

from deepgbass.ablation.output import write_table
from deepgbass.ablation.schedule import Stopped, plan_trials, run_trials
from deepgbass.ablation.summary import read_trials, require_same
from deepgbass.ablation.tables import TABLES, row_configs
from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.progress import console


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
    require_same(read_trials(workdir, spec.keys), configs)
    data_dir = _data_dir(next(iter(configs.values())), workdir, values.data_dir)
    try:
        failed = run_trials(trials, data_dir, values.parallel)
    except Stopped as stopped:
        print(stopped)
        sys.exit(stopped.status)
    if any(read_trials(workdir, spec.keys).values()):
        command = shlex.join(
            ["python", "-m", "deepgbass.ablation", *sys.argv[1:]]
        )
        write_table(
            name, configs, trials, workdir, data_dir, values.results, command
        )
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


def _check_files(values, configs):
    """Refuses, before hours are spent, what would fail after them."""
    if values.results:
        if pathlib.Path(values.results).is_file():
            raise UserError(f"--results={values.results} is not a folder")
        pathlib.Path(values.results).mkdir(parents=True, exist_ok=True)
    some = next(iter(configs.values()))
    weights = some.train.init_weights
    if weights is None:
        console.print(
            "Random initial weights; the paper starts from ImageNet's: "
            "--init_weights=PATH (docs/zoo.md)"
        )
    elif not pathlib.Path(weights).exists():
        # A TF1 checkpoint is named by its beginning; trials check the rest.
        beginning = pathlib.Path(f"{weights}.index")
        if not beginning.exists():
            raise UserError(f"--init_weights={weights}: there is no such file")
    if some.data.source != "synthetic":
        folder = values.data_dir
        if not folder or not pathlib.Path(folder, "dataset.json").is_file():
            raise UserError(
                f"--table={values.table} reads TFRecords: give their folder, "
                f"with dataset.json, as --data_dir, not {folder!r} "
                "(datasets/README.md)"
            )


def _data_dir(config, workdir, data_dir):
    """The folder of records; the embedded set is written, once for all."""
    if config.data.source != "synthetic":
        return data_dir
    cli.import_tensorflow()
    from deepgbass.data.synthetic import write_synthetic

    data_dir = pathlib.Path(data_dir or workdir / "data")
    write_synthetic(data_dir)
    return data_dir


def run():
    define_flags()
    cli.run(main)


if __name__ == "__main__":
    run()

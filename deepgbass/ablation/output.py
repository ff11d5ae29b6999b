"""What a table leaves behind: its files, its report, a copy to keep."""

import json
import pathlib
import shutil

from deepgbass.ablation import latency
from deepgbass.ablation.markdown import markdown
from deepgbass.ablation.plan import trial_folder
from deepgbass.ablation.summary import (
    read_trials,
    summarize,
    table_conditions,
)
from deepgbass.ablation.tables import TABLES
from deepgbass.ablation.trial import FILE_NAME
from deepgbass.commands import cli
from deepgbass.files import atomic_path, write_atomic
from deepgbass.progress import console
from deepgbass.versions import versions

# Of a trial's folder, what a copy of the results keeps: the small files.
_KEPT = ("config.json", "dataset.json", "history.jsonl", FILE_NAME)
# Of the times, what a table says of how they were measured.
_TIMING = ("what", "rounds", "threads", "runtime", "host")


def save_table(name, configs, workdir, results, command):
    """Writes table.json and table.md of the trials that are done.

    Times are those of latency.json, for the models that it has.

    Args:
        name: of `TABLES`.
        configs: key -> `ExperimentConfig`, as `row_configs` gives them.
        workdir: of the table, with at least one trial that is done.
        results: None, or a folder for a copy of the small files.
        command: what made it, in words.

    Returns:
        The table in Markdown.
    """
    spec, workdir = TABLES[name], pathlib.Path(workdir)
    found = read_trials(workdir, spec.keys)
    measured = latency.read_latency(workdir)
    table = {
        "table": name,
        "command": command,
        "conditions": table_conditions(found),
        "config": json.loads(configs[spec.rows[0].key].to_json()),
        "versions": versions(),
        "latency": {n: v for n, v in measured.items() if n in _TIMING},
        "rows": summarize(spec, found, latency.medians(measured)),
    }
    text = markdown(table)
    folders = [workdir]
    if results:
        folders.append(pathlib.Path(results))
        _copy_results(workdir, folders[1], found)
    for folder in folders:
        write_atomic(folder / "table.json", json.dumps(table, indent=2) + "\n")
        write_atomic(folder / "table.md", text)
    return text


def finish_table(name, configs, workdir, data_dir, results, command):
    """Times the models, saves and prints the table, writes report.html.

    The report is of each row's first seed whose network is there.

    Args:
        data_dir: folder of records, for the report's pictures.
        name, configs, workdir, results, command: of `save_table`.
    """
    workdir = pathlib.Path(workdir)
    found = read_trials(workdir, TABLES[name].keys)
    latency.measure_latency(workdir, found)
    text = save_table(name, configs, workdir, results, command)
    console.print(text)
    report = _report(name, configs, found, workdir, data_dir)
    if report:
        console.print(f"Report: {report.resolve()}")


def _copy_results(workdir, results, found):
    """The small files of every trial, and their times."""
    pairs = [(workdir / latency.FILE_NAME, results / latency.FILE_NAME)]
    for key, seeds in found.items():
        for seed in seeds:
            source = trial_folder(workdir, key, seed)
            target = trial_folder(results, key, seed)
            pairs += [(source / file, target / file) for file in _KEPT]
            pairs.append((source.with_suffix(".log"), target / "log.txt"))
    for source, target in pairs:
        if source.exists():
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)


def _report(table, configs, found, workdir, data_dir):
    """The page with pictures and curves, of each row's first network there.

    Returns:
        Its path; None, and no page, if no network is there.
    """
    cli.import_tensorflow()
    from deepgbass.ablation.networks import first_network
    from deepgbass.experiment import open_split
    from deepgbass.reports.run_report import Run, report_runs

    path = workdir / "report.html"
    config = next(iter(configs.values()))
    dataset = open_split(config, workdir, data_dir, config.data.eval_split)
    runs = []
    # The page looks closest at its last network: the whole method, or the
    # last of several.
    for row in sorted(TABLES[table].rows, key=lambda row: row.is_full):
        results = found[row.key]
        network = first_network(workdir, row.name, row.key, results)
        if network:
            runs.append(
                Run(
                    f"{row.name}, seed {network.seed}",
                    network.folder,
                    network.predictor,
                    results[network.seed].metrics,
                )
            )
    if runs:
        report_runs(path, f"Ablation: {table}", runs, dataset)
    elif path.exists():
        console.print(f"{path} is of an earlier table and stays")
    return path if runs else None

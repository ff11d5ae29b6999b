"""The table of trials: means over seeds, gains, costs, as plain values."""

import dataclasses
import pathlib
import re

import numpy as np

from deepgbass.ablation import paper
from deepgbass.ablation.plan import trial_folder
from deepgbass.ablation.trial import read_result
from deepgbass.configs import differences
from deepgbass.errors import UserError
from deepgbass.metrics.labels import METRIC_LABELS

# Which conditions of a measurement a table keeps: see `run_tables.conditions`.
_CONDITIONS = (
    "dataset",
    "protocol",
    "split",
    "images",
    "excluded",
    "mbf_rule",
    "mbf_definitions",
    "bands_rule",
)


def read_trials(workdir, keys):
    """The trials that a table's folder holds.

    Args:
        workdir: of the table, or of its results.
        keys: of the rows.

    Returns:
        dict of key -> dict of seed -> `TrialResult`, in order of seeds.
    """
    found = {}
    for key in keys:
        seeds = sorted(
            int(match[1])
            for path in pathlib.Path(workdir, key).glob("seed*")
            if (match := re.fullmatch(r"seed(\d+)", path.name))
        )
        results = {
            seed: read_result(trial_folder(workdir, key, seed))
            for seed in seeds
        }
        found[key] = {seed: r for seed, r in results.items() if r is not None}
    return found


def require_same(workdir, trials, configs):
    """Makes sure that all trials are of the same table.

    Args:
        workdir: where they lie.
        trials: from `read_trials`.
        configs: key -> `ExperimentConfig` of any seed.

    Raises:
        UserError: one was trained with another configuration.
    """
    for key, results in trials.items():
        for seed, result in results.items():
            train = dataclasses.replace(configs[key].train, seed=seed)
            wanted = dataclasses.replace(configs[key], train=train)
            if found := differences(result.config, wanted):
                raise UserError(
                    f"{key}, seed {seed} of {trial_folder(workdir, key, seed)}"
                    f" differs in {', '.join(found)}; choose another folder "
                    "or give the same --set words"
                )


def summarize(spec, trials, latency=None):
    """The rows of a table.

    Args:
        spec: `TableSpec`.
        trials: from `read_trials`.
        latency: None, or times as `latency.medians` gives them.

    Returns:
        list of dicts for JSON, in the table's order, of the rows that have a
        trial: `name`, `key`, `set` (what makes it), `seeds`, `missing_seeds`;
        `miou` and `mbf`, means over seeds of the float network in 0..1;
        `gain`, of both, relative to the first row in %: `seeds`, those that
        both rows have, and `mean`, `std`, `values` (None for the first row
        and where no seed is in both); `paper` (see `paper.of_row`);
        `parameters`, `gflops`; `forms`: form ("float", "int8", "qat_int8",
        "float_tflite") -> `seeds`, each of `METRIC_LABELS` as `mean`, `std`
        (None for one seed) and `values` by seed, and `bands`, a list of
        `width` and so `miou` and `pixel_accuracy`; `latency_ms`: form ->
        milliseconds.
    """
    rows = []
    for row in spec.rows:
        results = trials.get(row.key)
        if not results:
            continue
        forms = _forms(results)
        some = next(iter(results.values()))
        rows.append(
            {
                "name": row.name,
                "key": row.key,
                "preset": row.preset or spec.preset,
                "set": list(row.words),
                "seeds": list(results),
                "missing_seeds": [s for s in row.seeds if s not in results],
                "miou": forms["float"]["miou"]["mean"],
                "mbf": forms["float"]["mbf"]["mean"],
                "paper": paper.of_row(row.name),
                "parameters": some.parameters,
                "gflops": some.gflops,
                "forms": forms,
                "latency_ms": (latency or {}).get(row.key, {}),
            }
        )
    first = rows[0] if rows and rows[0]["name"] == spec.rows[0].name else None
    for row in rows:
        row["gain"] = {
            metric: None if row is first else _gain(row, first, metric)
            for metric in ("miou", "mbf")
        }
    return rows


def _gain(row, base, metric):
    """Over the seeds of both rows, each against the same seed's baseline."""
    if base is None:
        return None
    there = dict(
        zip(
            base["seeds"], base["forms"]["float"][metric]["values"], strict=True
        )
    )
    values = row["forms"]["float"][metric]["values"]
    gains = {
        seed: paper.gain(value, there[seed])
        for seed, value in zip(row["seeds"], values, strict=True)
        if seed in there
    }
    if not gains:
        return None
    return {"seeds": list(gains), **_statistics(list(gains.values()))}


def table_conditions(trials):
    """What was measured and by which rules: for `run_tables.conditions`."""
    results = [r for of_key in trials.values() for r in of_key.values()]
    metrics = results[0].metrics["float"]
    found = {name: metrics[name] for name in _CONDITIONS if name in metrics}
    for result in results:
        for name, value in found.items():
            if result.metrics["float"].get(name) != value:
                raise UserError(
                    f"the trials of this table differ in {name}: they were "
                    "measured on other data or by another version; measure "
                    "them anew (remove their trial.json)"
                )
    return found


def _forms(results):
    names = dict.fromkeys(
        form for result in results.values() for form in result.metrics
    )
    return {form: _form(form, results) for form in names}


def _form(form, results):
    found = {
        seed: result.metrics[form]
        for seed, result in results.items()
        if form in result.metrics
    }
    metrics = list(found.values())
    bands = zip(*(m["bands"] for m in metrics), strict=True)
    return {
        "seeds": list(found),
        **{
            name: _statistics([m[name] for m in metrics])
            for name in METRIC_LABELS
        },
        "bands": [
            {
                "width": of_seeds[0]["width"],
                **{
                    name: _statistics([band[name] for band in of_seeds])
                    for name in ("miou", "pixel_accuracy")
                },
            }
            for of_seeds in bands
        ],
    }


def _statistics(values):
    """Mean, standard deviation (of the population they are drawn from)."""
    if None in values:
        return {"mean": None, "std": None, "values": values}
    several = len(values) > 1
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if several else None,
        "values": values,
    }

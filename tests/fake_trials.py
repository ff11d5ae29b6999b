"""Trials as a table finds them, with made-up numbers and no network."""

import dataclasses
import json

from deepgbass.ablation.plan import trial_folder
from deepgbass.ablation.tables import TABLES, row_configs
from deepgbass.ablation.trial import FILE_NAME, TrialResult

BANDS = (1, 2, 4, 8, 16)


def metrics(miou, mbf):
    """What `deepgbass.evaluate` gives, as far as tables look at it."""
    return {
        "miou": miou,
        "mbf": mbf,
        "mbf_3px": mbf - 0.01,
        "mbf_1px": mbf - 0.02,
        "pixel_accuracy": miou + 0.1,
        "mbf_rule": "a rule",
        "bands": [
            {"width": width, "miou": miou / 2, "pixel_accuracy": miou}
            for width in BANDS
        ],
        "bands_rule": "near",
        "borders": [],
        "per_class": [
            {"name": name, "iou": iou, "bf": mbf, "biou": iou}
            for name, iou in (("road", 0.9), ("pole", 0.1), ("sign", None))
        ],
        "dataset": "camvid",
        "protocol": "",
        "split": "val",
        "images": 101,
        "excluded": [],
    }


def write_trial(workdir, key, seed, forms, table="camvid", words=()):
    """Writes trial.json of a row; `forms` is form -> (mIoU, mBF)."""
    config = row_configs(table, words)[key]
    train = dataclasses.replace(config.train, seed=seed)
    result = TrialResult(
        config=dataclasses.replace(config, train=train),
        metrics={form: metrics(*values) for form, values in forms.items()},
        parameters=2_000_000,
        gflops=3.5,
        versions={"python": "3"},
    )
    folder = trial_folder(workdir, key, seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).write_text(result.to_json())
    return result


def write_table(workdir, latency=None, words=()):
    """Writes table.json and .md of a folder's trials; returns the dict.

    `latency` is key -> form -> milliseconds, the median.
    """
    from deepgbass.ablation.markdown import markdown
    from deepgbass.ablation.summary import (
        read_trials,
        summarize,
        table_conditions,
    )

    spec = TABLES["camvid"]
    trials = read_trials(workdir, spec.keys)
    config = row_configs("camvid", words)["baseline"]
    table = {
        "table": "camvid",
        "command": "python -m deepgbass.ablation --table=camvid --workdir=w",
        "conditions": table_conditions(trials),
        "config": json.loads(config.to_json()),
        "versions": {"python": "3"},
        "latency": {
            "what": "one inference",
            "rounds": 50,
            "threads": 2,
            "host": {"cpu": "some CPU"},
        }
        if latency
        else {},
        "rows": summarize(spec, trials, latency),
    }
    (workdir / "table.json").write_text(json.dumps(table))
    (workdir / "table.md").write_text(markdown(table))
    return table

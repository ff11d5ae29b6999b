"""Times all exported networks of a table on the CPU, in one run, by turns."""

import hashlib
import json
import pathlib

from deepgbass.ablation.plan import trial_folder
from deepgbass.ablation.trial import form_of
from deepgbass.files import write_atomic
from deepgbass.ondevice.latency import PHASES, summarize
from deepgbass.ondevice.machine import Machine
from deepgbass.ondevice.measurement import Plan, measure
from deepgbass.progress import console

FILE_NAME = "latency.json"
ROUNDS, WARMUP, THREADS = 50, 5, 2
# Quantised weights of one network take the same time.
_TIMED = ("int8", "float")


def measure_latency(workdir, trials):
    """Times an inference of each model, unless latency.json is of the same.

    Writes latency.json into `workdir`, for `read_latency`. Image preparation,
    and the labels of the logits, are not in the times.

    Args:
        workdir: of the table.
        trials: as `read_trials` gives them.
    """
    models = {}
    for key, results in trials.items():
        for seed in results:
            folder = trial_folder(workdir, key, seed) / "export"
            for quantization in _TIMED:
                path = folder / f"model_{quantization}.tflite"
                # Times do not depend on the seed: the first that has it.
                if path.exists():
                    models.setdefault((key, form_of(quantization)), path)
    if not models:
        return
    digests = {
        f"{key} {form}": hashlib.sha256(path.read_bytes()).hexdigest()
        for (key, form), path in models.items()
    }
    timed = read_latency(workdir).get("sha256", {})
    if gone := timed.keys() - digests.keys():
        console.print(
            f"The times stay: {', '.join(sorted(gone))} cannot be timed again, "
            "and times compare within one run alone"
        )
    elif timed != digests:
        found = _measure(models) | {"sha256": digests}
        file = pathlib.Path(workdir) / FILE_NAME
        write_atomic(file, json.dumps(found, indent=2) + "\n")


def read_latency(workdir):
    """What was timed last.

    Returns:
        dict: `what` was timed, `rounds`, `threads`, `runtime`, `host` and
        `milliseconds`, key -> form -> statistics; empty if nothing was.
    """
    file = pathlib.Path(workdir) / FILE_NAME
    return json.loads(file.read_text()) if file.exists() else {}


def medians(measured):
    """Key -> form -> milliseconds, the median of the rounds.

    Args:
        measured: from `read_latency`.
    """
    return {
        key: {form: times["p50"] for form, times in forms.items()}
        for key, forms in measured.get("milliseconds", {}).items()
    }


def _measure(models):
    console.print(f"Timing {len(models)} models by turns, {ROUNDS} rounds ...")
    paths = tuple(map(str, models.values()))
    plan = Plan(paths, "cpu", runs=ROUNDS, warmup=WARMUP, threads=THREADS)
    measured = measure(plan)
    times = measured.times[:, :, PHASES.index("invoke")]
    milliseconds = {}
    for (key, form), seconds in zip(models, times.T, strict=True):
        milliseconds.setdefault(key, {})[form] = summarize(seconds)
    return {
        "what": "one inference without its input's preparation",
        "rounds": len(times),
        "threads": THREADS,
        "runtime": measured.runtime,
        "host": Machine().describe(),
        "milliseconds": milliseconds,
    }

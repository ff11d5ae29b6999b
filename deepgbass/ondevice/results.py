"""A benchmark's results: one dict, for JSON, the screen and a page."""

import dataclasses
import datetime
import os

from deepgbass import __version__
from deepgbass.ondevice.latency import PHASES, ratio, summarize_phases
from deepgbass.ondevice.machine import Machine

FORMAT = "deepgbass-benchmark/1"


def collect(plan, measurement, machine=None):
    """The results of a measurement.

    Args:
        plan: `Plan`.
        measurement: `Measurement` with at least one round.
        machine: `Machine` that it was made on.

    Returns:
        dict for JSON. All times are milliseconds. `models` holds for each
        model its facts, `phases` (see `summarize_phases`), `warmup_ms` (its
        first run, which uploads a compiled model's parameters, and the mean
        of the later ones) and `runs_ms`, the total of every run, in order;
        `ratios`, for the second and later ones, how many times as long they
        take as the first: see `ratio`.
    """
    times = measurement.times
    warmup = 1e3 * measurement.warmup.sum(axis=2)
    totals = times.sum(axis=2)
    invoke = times[:, :, PHASES.index("invoke")]
    models = [
        {
            **facts,
            "warmup_ms": {
                "first": float(warmup[0, i]),
                "later_mean": float(warmup[1:, i].mean()),
            },
            "phases": summarize_phases(times[:, i]),
            "runs_ms": (1e3 * totals[:, i]).round(4).tolist(),
        }
        for i, facts in enumerate(measurement.models)
    ]
    return {
        "format": FORMAT,
        "date": datetime.datetime.now().astimezone().isoformat("T", "seconds"),
        "complete": measurement.problem is None,
        "problem": measurement.problem,
        "notes": measurement.notes,
        "runs": len(times),
        "runs_planned": plan.runs,
        "warmup_runs": plan.warmup,
        "threads": plan.threads,
        "xnnpack": plan.xnnpack,
        "images": list(plan.images) or "made up",
        "deepgbass": __version__,
        "runtime": measurement.runtime,
        "host": (machine or Machine()).describe(),
        "plan": dataclasses.asdict(plan),
        "models": models,
        "ratios": [
            {
                "model": models[i]["path"],
                "to": models[0]["path"],
                "total": ratio(totals[:, i], totals[:, 0]),
                "invoke": ratio(invoke[:, i], invoke[:, 0]),
            }
            for i in range(1, len(models))
        ],
    }


def conditions(results):
    """Name -> text: what the times depend on, for people."""
    host, runtime = results["host"], results["runtime"]
    processor = host["cpu"] or "unknown"
    if host["board"]:
        processor = f"{host['board']}, {processor}"
    passed_over = ", ".join(runtime["passed_over"])
    fallback = f" (instead of {passed_over})" if passed_over else ""
    rows = {
        "processor": f"{processor}, {host['cores']} cores",
        "governor": host["governor"] or "unknown",
        "system": f"{host['system']}, {host['machine']}, "
        f"Python {host['python']}",
        "interpreter": f"{runtime['name']} {runtime['version']}{fallback}",
        "CPU kernels": f"{'XNNPACK' if results['xnnpack'] else 'TFLite'}, "
        f"{results['threads']} "
        f"thread{'s' if results['threads'] > 1 else ''}",
        "runs": f"{results['runs']:,}, after {results['warmup_runs']} others",
    }
    for model in results["models"]:
        if tpu := model["edgetpu"]:
            rows["Edge TPU"] = ", ".join(
                str(part)
                for part in (
                    tpu["device"] or "first device",
                    tpu["bus"] or "bus unknown",
                    *(f"{degrees:.0f} °C" for degrees in tpu["celsius"]),
                    tpu["package"] or tpu["library"],
                    tpu["version"] or "version unknown",
                )
            )
    return rows


def facts(model):
    """Name -> text: what a model is, for people."""
    source, result = model["input"], model["output"]
    structure = model["structure"]
    rows = {
        "runs on": "Edge TPU" if model["edgetpu"] else "CPU",
        "input": f"{_size(source['size'])} {source['dtype']}",
        "output": f"{result['content']} {_size(result['size'])}, "
        f"{result['classes']} classes, {result['dtype']}",
        "file": f"{model['bytes'] / 1e6:.2f} MB",
    }
    if structure is None:
        rows["operators"] = "unknown: only ai-edge-litert has the schema"
    else:
        rows["Edge TPU subgraphs"] = str(structure["subgraphs"])
        on_cpu = structure["cpu_operators"]
        listed = ", ".join(f"{n} {name}" for name, n in on_cpu.items())
        rows["CPU operators"] = str(sum(on_cpu.values()))
        if structure["subgraphs"]:
            if on_cpu:
                rows["CPU operators"] += f" ({listed})"
            off_chip, where = (
                structure[key] for key in ("off_chip_bytes", "parameters_from")
            )
            rows["off-chip parameters"] = (
                "unknown"
                if off_chip is None
                else f"{off_chip:,} bytes a run ({where})"
            )
    if agreement := model["agreement"]:
        rows["agreement"] = (
            f"{100 * agreement['equal']:.2f} % equal labels with "
            f"{agreement['reference']} on the CPU, "
            f"{agreement['images']} pictures"
        )
        if agreement["largest_difference"] is not None:
            rows["agreement"] += (
                f", largest difference {agreement['largest_difference']:g}"
            )
    first, later = (model["warmup_ms"][k] for k in ("first", "later_mean"))
    rows["warm-up"] = f"first run {first:.2f} ms, then {later:.2f} ms"
    return rows


def labels(results):
    """A short name for each model, all different: see `short_names`."""
    return short_names([model["path"] for model in results["models"]])


def short_names(paths):
    """File names, or where these are the same, what tells paths apart.

    Args:
        paths: of files.

    Returns:
        list of text: of runs/a/x.tflite and runs/b/x.tflite, a/x.tflite and
        b/x.tflite.
    """
    paths = [str(path) for path in paths]
    names = [path.replace("\\", "/").rpartition("/")[2] for path in paths]
    if len(set(names)) == len(names):
        return names
    whole = [os.path.abspath(path) for path in paths]
    common = os.path.commonpath([os.path.dirname(path) for path in whole])
    return [os.path.relpath(path, common) for path in whole]


def _size(size):
    return "x".join(map(str, size))

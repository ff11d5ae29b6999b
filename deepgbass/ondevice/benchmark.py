"""Times a model on this machine: mean, spread and percentiles, every stage.

Examples:
  python -m deepgbass.ondevice.benchmark model_int8.tflite
  python -m deepgbass.ondevice.benchmark model_int8_edgetpu.tflite \\
      --device=usb:0 --json=times.json --html=times.html
  python -m deepgbass.ondevice.benchmark model_int8_edgetpu.tflite \\
      --compare model_int8.tflite other_int8_edgetpu.tflite

A model that is compiled for the Edge TPU runs there, any other one on the
CPU. The output of the former is compared with that of the model it was
compiled from first (NAME.tflite beside NAME_edgetpu.tflite): below 99 % equal
labels, no time is claimed. Several models take turns, run by run. Needs no
TensorFlow.
"""

import json
import pathlib

from absl import app, flags

from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.files import require_writable, write_atomic
from deepgbass.ondevice.benchmark_page import page
from deepgbass.ondevice.benchmark_text import print_results
from deepgbass.ondevice.delegate import DELEGATES, check_device
from deepgbass.ondevice.measurement import Plan, measure
from deepgbass.ondevice.results import collect
from deepgbass.progress import track


def define_flags():
    """Not at import: the process that measures imports this too."""
    flags.DEFINE_enum(
        "delegate",
        "auto",
        DELEGATES,
        "Where models run. auto: on the Edge TPU if they are compiled for it.",
    )
    cli.define_edgetpu_flags(__name__)
    flags.DEFINE_multi_string(
        "compare", [], "Further models, timed in turn with the first one."
    )
    flags.DEFINE_string(
        "cpu_model",
        None,
        "The model that a compiled one was made from, if it is not beside it.",
    )
    flags.DEFINE_multi_string(
        "image", [], "Picture to run on; may be repeated. Default: made up."
    )
    flags.DEFINE_integer("runs", 200, "Timed runs.", lower_bound=200)
    flags.DEFINE_integer(
        "warmup", 10, "Runs before them, reported apart.", lower_bound=10
    )
    flags.DEFINE_integer("threads", 1, "Threads of the CPU.", lower_bound=1)
    flags.DEFINE_bool(
        "xnnpack", True, "CPU kernels of XNNPACK, as by default, or TFLite's."
    )
    flags.DEFINE_string("json", None, "File for all the numbers.")
    flags.DEFINE_string("html", None, "File for a page with the distribution.")


def main(argv):
    values = flags.FLAGS
    # `--compare A B` leaves B as a word of its own.
    models = [*argv[1:2], *values.compare, *argv[2:]]
    if not argv[1:]:
        raise app.UsageError("name the model to time: MODEL.tflite")
    _check(models)
    plan = Plan(
        tuple(models),
        values.delegate,
        values.device,
        values.library,
        values.cpu_model,
        tuple(values.image),
        values.runs,
        values.warmup,
        values.threads,
        values.xnnpack,
    )
    measurement = _measure(plan)
    results = collect(plan, measurement)
    print_results(results)
    if values.json:
        write_atomic(values.json, json.dumps(results, indent=2) + "\n")
    if values.html:
        write_atomic(values.html, page(results))
        print(f"Page: {values.html}")
    if measurement.problem:
        raise UserError(
            f"only {results['runs']} of {plan.runs} runs: {measurement.problem}"
        )


def _check(models):
    """Refuses what is known to fail, before anything is timed."""
    check_device(flags.FLAGS.device)
    whole = [pathlib.Path(path).resolve() for path in models]
    for path, file in zip(models, whole, strict=True):
        if whole.count(file) > 1:
            raise UserError(f"{path} is named twice")
    for path in models:
        if not pathlib.Path(path).is_file():
            raise UserError(f"{path}: there is no such file")
    for name in ("json", "html"):
        if not (text := flags.FLAGS[name].value):
            continue
        path = pathlib.Path(text)
        if path.is_dir():
            raise UserError(f"--{name}={text} is a folder; name a file")
        if not path.parent.is_dir():
            raise UserError(
                f"--{name}={text}: there is no folder {path.parent}"
            )
        require_writable(path.parent, name)


def _measure(plan):
    """Measures, with a bar on a terminal."""
    bar = track(range(plan.runs + 1), "timing", plan.runs)
    shown = 0

    def show(done):
        nonlocal shown
        for _ in range(shown, done):
            next(bar)
        shown = done

    try:
        return measure(plan, show)
    finally:
        bar.close()


def run():
    define_flags()
    cli.run(main, positional="models")


if __name__ == "__main__":
    run()

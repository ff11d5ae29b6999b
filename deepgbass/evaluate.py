"""Measures networks on a data set, and says whether one is better by chance.

Examples:
  python -m deepgbass.evaluate --model=runs/demo --output_dir=out/demo
  python -m deepgbass.evaluate --model=exports/camvid/model_int8.tflite \\
      --data_dir=data/camvid --output_dir=out/int8
  python -m deepgbass.evaluate --model=runs/full --checkpoint=best \\
      --data_dir=data/cityscapes --output_dir=out/full --scales=0.75,1,1.25 \\
      --flip --save_predictions=dataset_ids
  python -m deepgbass.evaluate --compare out/demo out/int8
  python -m deepgbass.evaluate --compare runs/a runs/b --data_dir=DIR \\
      --output_dir=out/a_and_b

A model is a work directory, a .tflite file with its description, or one that
was compiled for the Edge TPU, which is then used. The output folder gets
metrics.json, report.html and what was measured on each image: a command that
was stopped goes on there when it is given again.
"""

import dataclasses
import pathlib
import sys

from absl import app, flags

from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.files import require_writable, write_atomic
from deepgbass.ondevice.delegate import DELEGATES

# Exit status of a command that Ctrl-C ended.
_INTERRUPTED = 130
# Flags that say how a model is measured: of no meaning for stored results.
_OF_MODELS = (
    "data_dir",
    "split",
    "checkpoint",
    "delegate",
    "device",
    "library",
    "scales",
    "flip",
    "save_predictions",
    "max_images",
    "workers",
    "overwrite",
)


def define_flags():
    """Not at import: tests import this module beside other commands."""
    flags.DEFINE_string("model", None, "A work directory or a .tflite file.")
    flags.DEFINE_multi_string(
        "compare",
        [],
        "Two models, or folders of results: --compare A B.",
    )
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for the results; made if absent. With --compare, each model's "
        "own lie below it.",
    )
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder of TFRecords with dataset.json. The embedded synthetic set "
        "needs none.",
    )
    flags.DEFINE_string(
        "split",
        None,
        "Split to measure on. Default: data.eval_split of the model's own "
        "configuration.",
    )
    flags.DEFINE_string(
        "checkpoint",
        "newest",
        "Of a work directory: newest, best (of those that training "
        "evaluated), or a step.",
    )
    flags.DEFINE_enum(
        "delegate",
        "auto",
        DELEGATES,
        "Where .tflite models run. auto: on the Edge TPU if they are compiled "
        "for it.",
    )
    cli.define_edgetpu_flags(__name__)
    flags.DEFINE_list(
        "scales",
        ["1"],
        "Factors of the image's size over which probabilities are averaged, "
        "such as 0.75,1,1.25.",
    )
    flags.DEFINE_bool("flip", False, "Average over mirror images as well.")
    flags.DEFINE_enum(
        "save_predictions",
        None,
        ["train_ids", "dataset_ids"],
        "Write label maps as PNGs: in train ids, or in those of the data "
        "set's authors, as the server of Cityscapes takes them.",
    )
    flags.DEFINE_integer(
        "max_images",
        None,
        "Measure on the first so many images only. Default: all.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "workers",
        None,
        "Threads for the metrics. Default: one a core.",
        lower_bound=1,
    )
    flags.DEFINE_bool(
        "overwrite", False, "Begin anew where another evaluation is."
    )


def parse_scales(words):
    """Scales from words such as "0.75".

    Raises:
        UserError: one is no number, not in 0.1..4, or there twice.
    """
    scales = []
    for word in words:
        try:
            scale = float(word)
        except ValueError:
            scale = None
        if scale is None or not 0.1 <= scale <= 4:
            raise UserError(
                f"--scales has {word!r}; want factors of the image's size "
                "from 0.1 to 4, such as 0.75,1,1.25"
            )
        if scale in scales:
            raise UserError(f"--scales has {word} twice")
        scales.append(scale)
    if not scales:
        raise UserError("--scales is empty; leave it out for the scale 1")
    return tuple(scales)


def main(argv):
    values = flags.FLAGS
    if argv[1:] and not values.compare:
        raise app.UsageError(
            f"unexpected words {argv[1:]}: name the model as --model=PATH"
        )
    # `--compare A B` leaves B as a word of its own.
    compared = [pathlib.Path(path) for path in (*values.compare, *argv[1:])]
    if compared:
        _check_compared(compared)
        models = [path for path in compared if not _is_result(path)]
    elif values.model:
        models = [pathlib.Path(values.model)]
    else:
        raise UserError("give --model=PATH, or --compare A B")
    _check_models(models)
    scales = parse_scales(values.scales)
    if values.output_dir:
        require_writable(values.output_dir)
    if compared:
        _compare(compared, models, scales)
    else:
        _evaluate({pathlib.Path(values.output_dir): models[0]}, {}, scales)


def _check_compared(paths):
    if flags.FLAGS.model:
        raise UserError("give either --model or --compare, not both")
    if len(paths) != 2:
        raise UserError(
            f"--compare takes two models or folders of results, not "
            f"{len(paths)}: --compare A B"
        )
    if paths[0].resolve() == paths[1].resolve():
        raise UserError(f"--compare: {paths[0]} is named twice")
    if all(map(_is_result, paths)):
        given = [
            name
            for name in _OF_MODELS
            if not flags.FLAGS[name].using_default_value
        ]
        if given:
            raise UserError(
                f"--{given[0]} is for models, and both of --compare are "
                "folders of results; leave it out"
            )


def _check_models(paths):
    """Refuses what is known to fail, before TensorFlow is imported."""
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: there is no such file or folder")
        if _is_result(path):
            raise UserError(
                f"--model={path} is a folder of results, not a model; two of "
                "them are compared by --compare A B"
            )
        if path.is_dir() and not (path / "config.json").exists():
            raise UserError(
                f"{path} is neither a work directory (config.json) nor a "
                "folder of results (evaluation.json)"
            )
        if path.is_file() and path.suffix != ".tflite":
            raise UserError(
                f"{path} is neither a work directory nor a .tflite file"
            )
    output_dir = flags.FLAGS.output_dir
    if paths and not output_dir:
        raise UserError("give a folder for the results as --output_dir")
    if paths and pathlib.Path(output_dir, "config.json").exists():
        raise UserError(
            f"--output_dir={output_dir} is a work directory, whose own "
            "metrics.json would be lost; choose a folder in it or elsewhere"
        )


def _is_result(path):
    return (path / "evaluation.json").exists()


def _compare(paths, models, scales):
    """Compares two results, those of models being measured first."""
    from deepgbass.evaluation.compare_evaluations import (
        compare_folders,
        print_comparison,
        short_names,
    )

    output_dir = flags.FLAGS.output_dir
    names = dict(zip(paths, short_names(*paths), strict=True))
    folders = {
        path: pathlib.Path(output_dir, names[path].replace("/", "_"))
        if path in models
        else path
        for path in paths
    }
    if models:
        _evaluate({folders[path]: path for path in models}, names, scales)
    comparison = compare_folders(*folders.values())
    print_comparison(comparison)
    if output_dir:
        path = pathlib.Path(output_dir, "comparison.json")
        write_atomic(path, comparison.to_json())
        print(f"Comparison: {path}")


def _evaluate(models, names, scales):
    """Evaluates models, folder -> path, and prints their tables."""
    cli.import_tensorflow()
    from deepgbass.evaluation.candidate import open_candidate
    from deepgbass.evaluation.resumable import Options, evaluate_into
    from deepgbass.reports.run_tables import print_metrics

    values = flags.FLAGS
    options = Options(
        values.data_dir,
        values.split,
        values.max_images,
        values.workers,
        scales,
        values.flip,
        values.save_predictions,
        values.overwrite,
    )
    results = {}
    for folder, path in models.items():
        candidate = open_candidate(
            path,
            values.checkpoint,
            values.delegate,
            values.device,
            values.library,
        )
        if path in names:
            candidate = dataclasses.replace(candidate, name=names[path])
        try:
            metrics = evaluate_into(folder, candidate, options)
        except KeyboardInterrupt:
            print("Stopped; the same command goes on where it was.")
            sys.exit(_INTERRUPTED)
        results[candidate.name] = {candidate.form: metrics}
    print_metrics(results)
    for folder in models:
        print(f"Report: {(folder / 'report.html').resolve()}")


def run():
    define_flags()
    cli.run(main, positional="models")


if __name__ == "__main__":
    run()

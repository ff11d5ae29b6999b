"""Evaluates a network into a folder: metrics, report, predictions.

The folder keeps every image's measurements (`store`), so that a
killed evaluation goes on, and two can be compared image by image.
"""

import dataclasses
import json
import pathlib

from deepgbass.data.pipeline import load_dataset
from deepgbass.data.synthetic import SYNTHETIC, write_synthetic
from deepgbass.data.verify import verify_split
from deepgbass.errors import UserError
from deepgbass.evaluation.evaluator import (
    add_image,
    describe,
    make_metrics,
    measure_images,
)
from deepgbass.evaluation.identity import data_identity
from deepgbass.evaluation.prediction_files import PredictionFiles
from deepgbass.evaluation.report import write_evaluation_report
from deepgbass.evaluation.store import (
    METRICS,
    REPORT,
    open_store,
)
from deepgbass.files import require_writable, write_atomic
from deepgbass.lock import locked_folder
from deepgbass.progress import console


@dataclasses.dataclass(frozen=True)
class Options:
    """How a network is evaluated.

    Attributes:
        data_dir: folder of records; None for the embedded set.
        split: name; None for the one that the network was made for.
        max_images: None, or only the first so many images.
        workers: threads for the metrics; None: one a core.
        scales, flip: of `MultiScalePredictor`.
        save_predictions: None, or the `ids` of `PredictionFiles`.
        overwrite: begin anew where the folder holds another evaluation.
    """

    data_dir: str | None = None
    split: str | None = None
    max_images: int | None = None
    workers: int | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    save_predictions: str | None = None
    overwrite: bool = False


def evaluate_into(folder, candidate, options):
    """Measures a network, going on with what the folder holds of it.

    Args:
        folder: made if absent.
        candidate: `Candidate`.
        options: `Options`.

    Returns:
        dict that `evaluate` returns, and `model`, `form`, `step`, `scales`,
        `flip`; also in `metrics.json`, beside `report.html`.

    Raises:
        UserError: the data are bad or of other classes, the folder holds
            another evaluation, or the network fails on an image; what was
            measured until then is kept.
    """
    folder = pathlib.Path(folder)
    require_writable(folder)
    with locked_folder(folder / ".evaluating", "evaluation"):
        dataset = open_data(folder, candidate, options)
        candidate = candidate.averaged(options.scales, options.flip)
        store = open_store(
            folder,
            candidate.name,
            {
                "model": candidate.identity,
                "data": data_identity(dataset),
                "prediction": {"scales": options.scales, "flip": options.flip},
            },
            dataset.info,
            options.overwrite,
        )
        count = min(len(dataset), options.max_images or len(dataset))
        _fill(store, candidate, dataset, count, options)
        metrics = {
            "model": candidate.name,
            "form": candidate.form,
            "step": candidate.step,
            "scales": list(options.scales),
            "flip": options.flip,
            **_add_up(store, dataset, count),
        }
        text = json.dumps(metrics, indent=2) + "\n"
        write_atomic(folder / METRICS, text)
        write_evaluation_report(folder / REPORT, metrics, candidate, dataset)
    return metrics


def open_data(folder, candidate, options):
    """Opens and verifies the split to evaluate on.

    Args:
        folder: remembers that the split was verified; holds the embedded set
            if that is needed and not there.
        candidate: `Candidate`, whose classes the split must have.
        options: `Options`.

    Raises:
        UserError: no data are given, they are bad, or have other classes.
    """
    info = candidate.predictor.info
    data_dir = options.data_dir
    if data_dir is None:
        if dataclasses.replace(info, splits={}) != SYNTHETIC:
            raise UserError(
                f"{candidate.name} is of the data set {info.name}: give the "
                "folder of its records as --data_dir"
            )
        data_dir = folder / "data"
        write_synthetic(data_dir)
    dataset = load_dataset(data_dir, options.split or candidate.eval_split)
    _require_same_classes(candidate.name, info, dataset)
    verify_split(dataset, folder / "verified.json")
    return dataset


def _require_same_classes(name, info, dataset):
    ours, theirs = info.class_names, dataset.info.class_names
    if ours == theirs:
        return
    words = f"{len(ours)} and {len(theirs)} classes"
    if len(ours) == len(theirs):
        pairs = zip(ours, theirs, strict=True)
        index, pair = next(
            (i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1]
        )
        words = f"class {index} is {pair[0]!r} and {pair[1]!r}"
    raise UserError(
        f"{name} is of {info.name}, --data_dir={dataset.data_dir} holds "
        f"{dataset.info.name}: {words}; give data of the network's classes"
    )


def _fill(store, candidate, dataset, count, options):
    """Measures the images that the store does not have yet."""
    files = None
    if options.save_predictions:
        files = PredictionFiles(
            store.folder,
            dataset.info,
            options.save_predictions,
            {path: i for i in range(count) for path in store.saved(i)},
        )
    missing = [i for i in range(count) if not _is_done(store, i, options)]
    if len(missing) < count:
        console.print(
            f"{count - len(missing)} of {count} images are measured already"
        )
    images = measure_images(
        candidate.predictor,
        dataset,
        missing,
        make_metrics(dataset.info),
        options.workers,
        files and files.write,
    )
    done = count - len(missing)
    try:
        for index, name, parts in images:
            saved = list(store.saved(index))
            if files:
                saved.append(files.path(index, name))
            store.put(index, name, parts, saved)
            done += 1
    except UserError as error:
        if not done:
            raise
        raise UserError(
            f"{error} ({done} of {count} images are kept in {store.folder}; "
            "the same command goes on there)"
        ) from None


def _is_done(store, index, options):
    """Whether an image, and its prediction if asked for, are there."""
    if index not in store:
        return False
    kind = options.save_predictions
    return not kind or any(
        path.startswith(f"{kind}/") and (store.folder / path).exists()
        for path in store.saved(index)
    )


def _add_up(store, dataset, count):
    """The metrics of the first so many images, in their order."""
    metrics = make_metrics(dataset.info)
    for _, parts in store.read(range(count)):
        add_image(metrics, parts)
    return describe(metrics, dataset, count)

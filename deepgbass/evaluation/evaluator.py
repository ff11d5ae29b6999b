"""One evaluator for every kind of predictor."""

import collections
import dataclasses
import math
import os
from concurrent.futures import ThreadPoolExecutor

from deepgbass.errors import UserError
from deepgbass.metrics.boundary_f1 import BoundaryF1
from deepgbass.metrics.boundary_iou import BoundaryIoU
from deepgbass.metrics.boundary_rule import DEFAULTS
from deepgbass.metrics.distance_bands import DistanceBands
from deepgbass.metrics.mean_iou import MeanIoU
from deepgbass.metrics.pair_confusion import PairConfusion
from deepgbass.progress import track

# Names of the tolerances in `DEFAULTS`.
MBF_NAMES = ("mbf", "mbf_3px", "mbf_1px")
# The class of ADE20K-32 that is sometimes evaluated and sometimes not.
OTHER = "other"
# So many borders, those that lose most, and what is predicted there instead.
BORDERS, INSTEAD = 20, 3


def evaluate(predict, dataset, max_images=None, workers=None):
    """Measures a predictor on a split, at the images' native size.

    The predictor runs in the calling thread, one image after the other; the
    metrics of earlier images run beside it, in threads of their own.

    Args:
        predict: function of a uint8 image `(height, width, 3)` that returns
            integer labels `(height, width)`, a new array each time.
        dataset: `SegmentationDataset`, as `load_dataset` gives. If its
            ignored id is a class, no mean includes that class.
        max_images: int or None. Only the first so many images.
        workers: int or None. Threads for the metrics; None: one a core. The
            result does not depend on it.

    Returns:
        dict that JSON can hold; shares lie in 0..1, None where nothing could
        be measured. `miou`, `pixel_accuracy`; `miou_without_other`, if a
        class has this name (ADE20K-32 by MLPerf's rule: `MeanIoUResult`'s
        `without`); the mean boundary F1 at three
        tolerances: `mbf` (0.75 % of the diagonal), `mbf_3px` and `mbf_1px`;
        `tolerance` and `mbf_rule` in words, `mbf_definitions` in full;
        `biou` (boundary IoU) and `biou_rule`; `bands`, a list of `width`
        (pixels), `miou`, `pixel_accuracy`, `pixels`, and `bands_rule`;
        `borders`, a list of `classes`, `length`, `met`, `instead`, the
        greatest loss first, and `borders_rule`; `per_class`, a list of
        `name`, `iou`, `bf`, `biou`; `dataset`, `protocol`, `split`,
        `images`; `excluded`, names of the classes that no mean includes.

    Raises:
        UserError: `max_images` or `workers` is below 1, or labels and
            predictions do not fit each other or the data set.
    """
    for name, value in (("max_images", max_images), ("workers", workers)):
        if value is not None and value < 1:
            raise UserError(f"{name} is {value}; it must be 1 or above")
    count = min(len(dataset), max_images or len(dataset))
    metrics = make_metrics(dataset.info)
    images = measure_images(predict, dataset, range(count), metrics, workers)
    for _, _, parts in images:
        add_image(metrics, parts)
    return describe(metrics, dataset, count)


def make_metrics(info):
    """The metrics of an evaluation, in the order of an image's parts.

    Args:
        info: `DatasetInfo`. If its ignored id is a class, no mean includes
            that class.
    """
    classes = info.num_classes
    ignored = {info.ignore_label} & set(range(classes))
    return (
        MeanIoU(classes, excluded=ignored),
        BoundaryF1(classes, DEFAULTS, excluded=ignored),
        BoundaryIoU(classes, excluded=ignored),
        DistanceBands(classes, excluded=ignored),
        PairConfusion(classes),
    )


def measure_images(predict, dataset, indices, metrics, workers=None, keep=None):
    """Measures images one by one without adding them to the metrics.

    Args:
        predict, dataset, workers: as in `evaluate`.
        indices: sequence of ints: which images, in which order.
        metrics: from `make_metrics`.
        keep: None, or a function of an index, the file's name and the
            prediction, called in one of the threads.

    Yields:
        Index, file's name and parts of an image, in the order of `indices`;
        the parts are for `add_image`.

    Raises:
        UserError: labels and predictions do not fit each other or the data
            set; names the image.
    """

    def measure(index, name, label, prediction):
        try:
            parts = [metric.measure(label, prediction) for metric in metrics]
        except UserError as error:
            raise UserError(f"{name}: {error}") from None
        if keep:
            keep(index, name, prediction)
        return index, name, parts

    workers = workers or os.cpu_count() or 1
    examples = track(
        zip(indices, dataset.examples(indices), strict=True),
        f"evaluating {dataset.split}",
        len(indices),
    )
    # Threads: NumPy and SciPy leave the interpreter's lock alone for most of
    # the time, and processes would have to copy the maps.
    with ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque()
        for index, example in examples:
            try:
                prediction = predict(example["image"])
            except UserError:
                # What earlier images gave is not lost.
                yield from _results(waiting)
                raise
            waiting.append(
                pool.submit(
                    measure,
                    index,
                    example["filename"],
                    example["label"],
                    prediction,
                )
            )
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        yield from _results(waiting)


def _results(futures):
    for future in futures:
        yield future.result()


def add_image(metrics, parts):
    """Adds what `measure_images` gave for an image to the metrics."""
    for metric, part in zip(metrics, parts, strict=True):
        metric.add(part)


def describe(metrics, dataset, images):
    """What `evaluate` returns, of metrics that so many images were added to."""
    info = dataset.info
    return {
        **_scores(*(metric.result() for metric in metrics), info),
        "dataset": info.name,
        "protocol": info.protocol,
        "split": dataset.split,
        "images": images,
        "excluded": [info.class_names[i] for i in metrics[0].excluded],
    }


def _scores(iou, boundaries, biou, bands, pairs, info):
    """The results as a dict for JSON."""
    boundary = dict(zip(MBF_NAMES, boundaries, strict=True))

    def names(classes):
        return [info.class_names[index] for index in classes]

    second = {}
    if OTHER in info.class_names:
        other = info.class_names.index(OTHER)
        second["miou_without_other"] = _plain(iou.without(other).miou)
    return {
        "miou": _plain(iou.miou),
        **second,
        **{name: _plain(result.mbf) for name, result in boundary.items()},
        "pixel_accuracy": _plain(iou.pixel_accuracy),
        "tolerance": str(boundary["mbf"].tolerance),
        "mbf_rule": str(boundary["mbf"].rule),
        "mbf_definitions": {
            name: {
                "words": result.description,
                "tolerance": dataclasses.asdict(result.tolerance),
                "rule": dataclasses.asdict(result.rule),
            }
            for name, result in boundary.items()
        },
        "biou": _plain(biou.biou),
        "biou_rule": biou.description,
        "bands": [
            {
                "width": width,
                "miou": _plain(miou),
                "pixel_accuracy": _plain(accuracy),
                "pixels": int(pixels),
            }
            for width, miou, accuracy, pixels in zip(
                bands.widths,
                bands.miou,
                bands.pixel_accuracy,
                bands.pixels,
                strict=True,
            )
        ],
        "bands_rule": bands.rule,
        "borders": [
            {
                "classes": names(border.classes),
                "length": border.length,
                "met": border.met,
                "instead": [
                    {"classes": names(classes), "length": length}
                    for classes, length in border.instead[:INSTEAD]
                ],
            }
            for border in pairs.borders[:BORDERS]
        ],
        "borders_rule": pairs.description,
        "per_class": [
            {"name": name, "iou": _plain(i), "bf": _plain(f), "biou": _plain(b)}
            for name, i, f, b in zip(
                info.class_names,
                iou.per_class,
                boundary["mbf"].per_class,
                biou.per_class,
                strict=True,
            )
        ],
    }


def _plain(value):
    """A float for JSON, which has no NaN."""
    return None if math.isnan(value) else float(value)

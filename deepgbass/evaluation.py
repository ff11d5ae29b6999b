"""One evaluator for every kind of predictor."""

import math

from deepgbass.errors import UserError
from deepgbass.metrics.boundary_f1 import DEFAULTS, BoundaryF1
from deepgbass.metrics.mean_iou import MeanIoU
from deepgbass.progress import track

# Names of the tolerances in `DEFAULTS`.
MBF_NAMES = ("mbf", "mbf_3px", "mbf_1px")


def evaluate(predict, dataset, max_images=None):
    """Measures a predictor on a split, at the images' native size.

    Args:
        predict: function of a uint8 image `(height, width, 3)` that returns
            integer labels `(height, width)`.
        dataset: `SegmentationDataset`, as `load_dataset` gives.
        max_images: int or None. Only the first so many images.

    Returns:
        dict that JSON can hold. `miou`, `pixel_accuracy` and the mean
        boundary F1 at three tolerances: `mbf` (0.75 % of the diagonal),
        `mbf_3px` and `mbf_1px`; `tolerance` and `mbf_rule` in words;
        `per_class`, a list of `name`, `iou`, `bf`; `dataset`, `split`,
        `images`. Shares lie in 0..1; None where nothing could be measured.

    Raises:
        UserError: `max_images` is below 1.
    """
    if max_images is not None and max_images < 1:
        raise UserError(f"max_images is {max_images}; it must be 1 or above")
    info = dataset.info
    mean_iou = MeanIoU(info.num_classes)
    boundary_f1 = BoundaryF1(info.num_classes, DEFAULTS)
    count = min(len(dataset), max_images or len(dataset))
    examples = dataset.examples(range(count))
    for example in track(examples, f"evaluating {dataset.split}", count):
        prediction = predict(example["image"])
        mean_iou.update(example["label"], prediction)
        boundary_f1.update(example["label"], prediction)
    iou = mean_iou.result()
    boundary = dict(zip(MBF_NAMES, boundary_f1.result(), strict=True))
    return {
        "miou": _plain(iou.miou),
        **{name: _plain(result.mbf) for name, result in boundary.items()},
        "pixel_accuracy": _plain(iou.pixel_accuracy),
        "tolerance": str(boundary["mbf"].tolerance),
        "mbf_rule": boundary["mbf"].rule,
        "per_class": [
            {"name": name, "iou": _plain(i), "bf": _plain(b)}
            for name, i, b in zip(
                info.class_names,
                iou.per_class,
                boundary["mbf"].per_class,
                strict=True,
            )
        ],
        "dataset": info.name,
        "split": dataset.split,
        "images": count,
    }


def _plain(value):
    """A float for JSON, which has no NaN."""
    return None if math.isnan(value) else float(value)

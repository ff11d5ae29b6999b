"""The images from which the activations' ranges are taken."""

import numpy as np

from deepgbass.data.dataset_info import IGNORE_LABEL
from deepgbass.errors import UserError
from deepgbass.export.choices import SAMPLINGS, require_choice
from deepgbass.letterbox import letterbox

# From 20 images on, more no longer help (results/calibration.json: SQNR of the
# logits on CamVid 21.8, 23.7, 24.2, 24.1 dB with 1, 5, 20, 50).
DEFAULT_COUNT = 50

# Boundary sampling chooses one image among so many.
_CANDIDATES = 4


def choose_images(dataset, size, longer_side=None, count=None, sampling="even"):
    """Images of a split as a network's input, as evaluation shows them.

    Args:
        dataset: `SegmentationDataset`.
        size: (height, width) of the network's input.
        longer_side: see `letterbox.letterbox`.
        count: how many; None for `DEFAULT_COUNT`, or all of a smaller split.
        sampling: "even", spread evenly over the split, or "boundary": of
            every few neighbours the one with the most boundaries between
            labelled classes.

    Returns:
        iterator of uint8 arrays `(*size, 3)`; the images themselves are read
        as it goes.

    Raises:
        UserError: the split has fewer images than `count`, or no labels for
            boundary sampling; or `sampling` is no such word.
    """
    require_choice("sampling", sampling, SAMPLINGS)
    there = len(dataset)
    if count is None:
        count = min(DEFAULT_COUNT, there)
    if not 1 <= count <= there:
        raise UserError(
            f"--calibration_images={count}: the split {dataset.split!r} has "
            f"{there} images; choose 1 to {there}"
        )
    if sampling == "even":
        indices = _spread(there, count)
    else:
        indices = _with_boundaries(dataset, count)
    return (
        letterbox(example["image"], size, longer_side)[0]
        for example in dataset.examples(indices)
    )


def _spread(total, count):
    return np.linspace(0, total - 1, count).round().astype(int)


def _with_boundaries(dataset, count):
    """In each of `count` equal parts, the image with the most boundaries."""
    candidates = _spread(len(dataset), min(_CANDIDATES * count, len(dataset)))
    shares = np.array(
        [
            boundary_share(example["label"])
            for example in dataset.examples(candidates)
        ]
    )
    if not np.nanmax(shares, initial=0.0) > 0:
        raise UserError(
            "--calibration_sampling=boundary: the "
            f"{len(candidates)} images looked at in the split "
            f"{dataset.split!r} have no labelled boundaries; use even"
        )
    parts = np.array_split(np.arange(len(candidates)), count)
    return [candidates[part[np.argmax(shares[part])]] for part in parts]


def boundary_share(label):
    """The share of neighbouring pixels that are of two classes, 0..1.

    Args:
        label: int `(height, width)` with `IGNORE_LABEL`, which counts as no
            class.
    """
    different = pairs = 0
    for one, other in (
        (label[1:], label[:-1]),
        (label[:, 1:], label[:, :-1]),
    ):
        labelled = (one != IGNORE_LABEL) & (other != IGNORE_LABEL)
        different += np.count_nonzero(labelled & (one != other))
        pairs += one.size
    return different / max(pairs, 1)

"""Where to look closer: the windows in which networks differ most.

They differ where some are right and others wrong, whichever these are, so
that the choice favours none of them.
"""

import dataclasses

import numpy as np

from deepgbass.errors import UserError


@dataclasses.dataclass(frozen=True)
class Inset:
    """A window of an image.

    Attributes:
        image: its index in the split.
        window: (top, left, height, width), pixels.
        score: (difference, pixels of the class) within it.
    """

    image: int
    window: tuple[int, int, int, int]
    score: tuple[int, int]


def difference(label, predictions, index):
    """How far networks differ at the pixels of a class.

    Args:
        label: integers `(height, width)`, the truth.
        predictions: list of the same of each network.
        index: id of the class.

    Returns:
        int64 `(height, width)`: pairs of networks of which one is right and
        one wrong; 0 outside of the class.
    """
    right = sum((p == label).astype(np.int64) for p in predictions)
    return np.where(label == index, right * (len(predictions) - right), 0)


def best_window(score, size):
    """The window with the greatest sum; of several the first.

    Args:
        score: int64 `(height, width)`, at least 0.
        size: (height, width) of the window.

    Returns:
        (sum, top, left).

    Raises:
        UserError: the window is larger than the map.
    """
    if any(s > n for s, n in zip(size, score.shape, strict=True)):
        raise UserError(f"a window of {size} does not fit into {score.shape}")
    sums = np.pad(score, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    height, width = size
    window = (
        sums[height:, width:]
        - sums[:-height, width:]
        - sums[height:, :-width]
        + sums[:-height, :-width]
    )
    top, left = np.unravel_index(np.argmax(window), window.shape)
    return int(window[top, left]), int(top), int(left)


def choose_insets(scenes, classes, share=5):
    """For each class the window in which networks differ most about it.

    Args:
        scenes: iterable of (label, predictions), as `difference` takes them,
            of every image of a split.
        classes: ids; each gets an image of its own, in this order.
        share: the window's sides are those of the image divided by this.

    Returns:
        list of `Inset`, one a class.

    Raises:
        UserError: there are fewer images than classes.
    """
    candidates = [[] for _ in classes]
    for image, (label, predictions) in enumerate(scenes):
        size = tuple(side // share for side in label.shape)
        for index, found in zip(classes, candidates, strict=True):
            differs = difference(label, predictions, index)
            # Where they never differ, the most pixels of the class.
            weight = label.size + 1
            score = differs * weight + (label == index)
            total, top, left = best_window(score, size)
            window = (top, left, *size)
            found.append(Inset(image, window, divmod(total, weight)))
    if len(candidates[0]) < len(classes):
        raise UserError(
            f"{len(candidates[0])} images are too few for insets of "
            f"{len(classes)} classes"
        )
    chosen = []
    for found in candidates:
        taken = {inset.image for inset in chosen}
        free = [inset for inset in found if inset.image not in taken]
        chosen.append(max(free, key=lambda inset: inset.score))
    return chosen

"""Random label maps and predictions for the tests of the metrics."""

import numpy as np


def random_pair(shape=(20, 26), num_classes=4, seed=0, ignore=0.05):
    """Blocks of classes, and the same moved a little with some more noise.

    Returns:
        Label and prediction, int64 `shape`; the share `ignore` of the label
        is 255.
    """
    rng = np.random.default_rng(seed)
    blocks = rng.integers(
        0, num_classes, (shape[0] // 4 + 2, shape[1] // 4 + 2)
    )
    whole = blocks.repeat(4, 0).repeat(4, 1)
    label = whole[: shape[0], : shape[1]].copy()
    prediction = whole[2 : shape[0] + 2, 1 : shape[1] + 1].copy()
    noise = rng.random(shape) < 0.03
    prediction[noise] = rng.integers(0, num_classes, noise.sum())
    label[rng.random(shape) < ignore] = 255
    return label, prediction

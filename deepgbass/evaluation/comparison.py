"""Whether one network is better than another, or was only lucky.

Both were measured on the same images. A paired bootstrap (Efron 1979; in
vision, as in PASCAL's retrospective, Everingham et al. 2015, section 3.5)
draws as many images again with replacement, both networks getting the same
ones, and takes the difference of their metrics; what lies between the 2.5th
and the 97.5th percentile of many such draws is the interval. Everything that
a metric needs of an image is a few counts, so that all draws are one matrix
product.

Images are taken to be independent. Frames of one video are not, and intervals
from them are too narrow.
"""

import dataclasses

import numpy as np

from deepgbass.errors import UserError
from deepgbass.metrics.boundary_f1 import boundary_scores
from deepgbass.metrics.label_maps import mean_where_counted

RESAMPLES = 5000
CONFIDENCE = 95
# So many draws at once: memory grows with draws times images.
_BLOCK = 500


@dataclasses.dataclass(frozen=True)
class Measured:
    """What the metrics of a network need of each image.

    Attributes:
        hits: float64 `(images, classes)`: pixels of a class that are right.
        union: float64 `(images, classes)`: pixels that are of the class or
            taken for it.
        boundary: dict of a tolerance's name -> float64 `(images,)`: boundary
            F1 of an image, NaN where no class counts.
    """

    hits: np.ndarray
    union: np.ndarray
    boundary: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Difference:
    """How two networks, a and b, differ in a metric; shares in 0..1.

    Attributes:
        metric: name.
        a, b: the metric of each on all images.
        low, high: ends of the 95 % interval of `b - a`.
        wins_a, wins_b, ties: number of images at which a is better, b is,
            or neither.
    """

    metric: str
    a: float
    b: float
    low: float
    high: float
    wins_a: int
    wins_b: int
    ties: int

    @property
    def difference(self):
        """What b is better by."""
        return self.b - self.a

    @property
    def is_beyond_chance(self):
        """Whether the interval leaves out 0."""
        return bool(self.low > 0 or self.high < 0)


def measured(confusions, boundary_counts, names, excluded=()):
    """`Measured` of what was counted on each image.

    Args:
        confusions: int `(images, classes, classes)`, rows are the truth.
        boundary_counts: int `(images, tolerances, classes, 4)`, as
            `boundary_counts` gives them.
        names: of the tolerances.
        excluded: ids of classes that no mean includes.
    """
    confusions = np.array(confusions, np.float64)
    excluded = list(excluded)
    # Pixels of these classes do not count; to predict them is an error.
    confusions[:, excluded] = 0
    hits = np.diagonal(confusions, axis1=1, axis2=2)
    union = confusions.sum(1) + confusions.sum(2) - hits
    f1 = boundary_scores(np.asarray(boundary_counts))[2]
    f1[:, :, excluded] = np.nan
    return Measured(
        np.delete(hits, excluded, axis=1),
        np.delete(union, excluded, axis=1),
        {
            name: mean_where_counted(f1[:, i], axis=1)
            for i, name in enumerate(names)
        },
    )


def compare(a, b, resamples=RESAMPLES, seed=0):
    """The differences of two networks in mIoU and boundary F1.

    Args:
        a, b: `Measured` on the same images, in the same order.
        resamples: number of draws.
        seed: of the draws; the result is a function of it.

    Returns:
        list of `Difference`: "miou" and those of `boundary`.

    Raises:
        UserError: there are fewer than 2 images, or not the same number.
    """
    images = len(a.hits)
    if images != len(b.hits):
        raise UserError(
            f"one network was measured on {images} images, the other on "
            f"{len(b.hits)}; measure both on the same"
        )
    if images < 2:
        raise UserError(f"comparing needs 2 images or more, not {images}")
    metrics = ("miou", *a.boundary)

    def gains(weights):
        return [scores(b, m, weights) - scores(a, m, weights) for m in metrics]

    drawn = np.concatenate(
        [gains(weights) for weights in _draws(images, resamples, seed)], axis=1
    )
    every, whole = gains(np.eye(images)), np.ones((1, images))
    return [
        Difference(
            metric,
            float(scores(a, metric, whole)[0]),
            float(scores(b, metric, whole)[0]),
            *_ends(drawn[i]),
            wins_a=int((every[i] < 0).sum()),
            wins_b=int((every[i] > 0).sum()),
            ties=int((every[i] == 0).sum()),
        )
        for i, metric in enumerate(metrics)
    ]


def scores(measured, metric, weights):
    """A metric of weighted images.

    Args:
        measured: `Measured`.
        metric: "miou" or a name of its `boundary`.
        weights: float64 `(draws, images)`: how often each image counts.

    Returns:
        float64 `(draws,)` in 0..1; NaN where nothing counts.
    """
    with np.errstate(invalid="ignore"):
        if metric == "miou":
            shares = (weights @ measured.hits) / (weights @ measured.union)
            return mean_where_counted(shares, axis=1)
        values = measured.boundary[metric]
        counted = ~np.isnan(values)
        return weights @ np.where(counted, values, 0) / (weights @ counted)


def _ends(drawn):
    """Ends of the interval that most draws lie in; NaN if none is known."""
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return np.nan, np.nan
    outside = (100 - CONFIDENCE) / 2
    return np.percentile(drawn, [outside, 100 - outside]).tolist()


def _draws(images, resamples, seed):
    """Blocks of how often each draw has each image: `(draws, images)`."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, _BLOCK):
        rows = min(_BLOCK, resamples - start)
        drawn = rng.integers(images, size=(rows, images))
        drawn += images * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * images)
        yield counts.reshape(rows, images).astype(np.float64)

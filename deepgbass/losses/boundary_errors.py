"""How two boundary volumes differ: the sums of eq. 1 and the weights of eq. 2.

Both need the same maps, so that one pass gives them.
"""

import tensorflow as tf

from deepgbass.compiled import recomputed
from deepgbass.losses.boundary import boundary_mask

# Guards the ratios: that of two empty sums is 0.
EPSILON = 1e-10


def _max(xi, threshold):
    return tf.reduce_max(xi, axis=-1)


def _binary(xi, threshold):
    return boundary_mask(_max(xi, threshold), threshold)


def _noisy_or(xi, threshold):
    return 1 - tf.reduce_prod(1 - tf.clip_by_value(xi, 0, 1), axis=-1)


def _bounded_sum(xi, threshold):
    return tf.minimum(tf.reduce_sum(xi, axis=-1), 1)


def _masked_max(xi, threshold):
    return _binary(xi, threshold) * _max(xi, threshold)


# R of eq. 2 for the magnitudes, which are not logical values.
_READINGS = {
    "max": _max,
    "binary": _binary,
    "noisy_or": _noisy_or,
    "bounded_sum": _bounded_sum,
    "masked_max": _masked_max,
}


def semantic_boundary_terms(sums, per_image=False, totals=None):
    """The two ratios whose mean is SBL (eq. 1).

        sum(M |xi - xi_hat|) / sum(M), and the same with M_hat

    with M = [xi > T] and sums over pixels and classes.

    Args:
        sums: of `boundary_errors`.
        per_image: take the ratios of every image and their mean, instead of
            those of the sums over the batch.
        totals: None, or of a larger batch that the images are a part of: its
            number of images, and its sums of M and M_hat; floats `(3,)`. The
            losses of the parts then add up to the larger batch's.

    Returns:
        float32 `(2,)`; a ratio whose mask is empty is 0.
    """
    if totals is None:
        totals = batch_totals(sums)
    errors, counts = sums[:2], sums[2:]
    if per_image:
        ratios = tf.reduce_sum(errors / (counts + EPSILON), axis=1)
        ratios /= tf.maximum(totals[0], 1)
    else:
        ratios = tf.reduce_sum(errors, axis=1) / (totals[1:] + EPSILON)
    return ratios


def batch_totals(sums):
    """Number of images, sum of M and sum of M_hat: float32 `(3,)`."""
    images = tf.cast(tf.shape(sums)[1:], tf.float32)
    return tf.concat([images, tf.reduce_sum(sums[2:], axis=1)], axis=0)


def boundary_errors(predicted, true, valid, threshold, reading, constant):
    """Compares the boundaries of prediction and truth.

    Args:
        predicted, true: xi and xi_hat, `(batch, height, width, num_classes)`.
        valid: float32 `(batch, height, width)`; 0 leaves a pixel out of both
            masks.
        threshold: T.
        reading: see `boundary_weights`.
        constant: whether the weights pass no gradient on.

    Returns:
        sums: float32 `(4, batch)`: of M |xi - xi_hat|, M_hat |xi - xi_hat|,
            M and M_hat over pixels and classes.
        weights: w of eq. 2, float32 `(batch, height, width)`.
    """
    sums, weights = _compare(
        predicted,
        true,
        valid,
        threshold=threshold,
        reading=reading,
        constant=constant,
    )
    # The last sum is not left to XLA: it would add all pixels one by one,
    # and lose digits.
    sums = tf.reduce_sum(sums, axis=-1)
    return sums, tf.stop_gradient(weights) if constant else weights


@recomputed
def _compare(predicted, true, valid, *, threshold, reading, constant):
    masks = [boundary_mask(xi, threshold) for xi in (predicted, true)]
    error = tf.abs(predicted - true)
    # A product by ones is a sum over the classes that XLA computes faster.
    ones = tf.ones(predicted.shape[-1:])
    sums = [
        tf.reduce_sum(tf.linalg.matvec(each, ones) * valid, axis=-1)
        for each in (masks[0] * error, masks[1] * error, *masks)
    ]
    xis = (predicted, true)
    if constant:
        xis = [tf.stop_gradient(xi) for xi in xis]
    weights = boundary_weights(*xis, threshold, reading)
    return tf.stack(sums), valid * weights


def boundary_weights(predicted, true, threshold, reading="max"):
    """w of eq. 2: the error of a pixel's boundary over all classes.

        w = (R(M) + R(M_hat)) |R(xi) - R(xi_hat)| / 2

    R, "logical OR across channel", is the maximum for the masks M = [xi > T].

    Args:
        predicted, true: xi and xi_hat, `(batch, height, width, num_classes)`.
        threshold: T.
        reading: what R is for the magnitudes. "max": the maximum, the OR of
            fuzzy logic. "binary": the OR of M, so that w is 0 or 0.5, as
            "logical" says. "noisy_or": the OR of independent probabilities.
            "bounded_sum": the sum, at most 1. "masked_max": the maximum where
            M is 1. "classwise_max" is not eq. 2 but SBL's own errors: the
            maximum of M |xi - xi_hat| in place of R(M) |R(xi) - R(xi_hat)|;
            it alone sees a right contour of a wrong class.

    Returns:
        float32 `(batch, height, width)`, at least 0.
    """
    pair = (predicted, true)
    if reading == "classwise_max":
        error = tf.abs(predicted - true)
        halves = [
            tf.reduce_max(boundary_mask(xi, threshold) * error, axis=-1)
            for xi in pair
        ]
        return 0.5 * tf.add_n(halves)
    first, second = (_READINGS[reading](xi, threshold) for xi in pair)
    masks = [_binary(xi, threshold) for xi in pair]
    return 0.5 * tf.add_n(masks) * tf.abs(first - second)

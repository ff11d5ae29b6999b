"""The guided filter in closed form (He et al. 2013; Wu et al. 2018).

    cov = mean(g f) - mean(g) mean(f)      A = cov / (var + eps)
    var = mean(g g) - mean(g) mean(g)      b = mean(f) - A mean(g)

with mean(.) a `box_mean`. A g + b is, in every window, the linear function of
the guide g nearest to the feature f. Pure functions, for study and as the
oracle of the learned block: the division does not map to the Edge TPU.
"""

import math
import numbers
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.layers.box import box_mean


class Moments(NamedTuple):
    """What the filter knows of each window, `(batch, height, width, any)`."""

    feature_mean: tf.Tensor
    guide_mean: tf.Tensor
    covariance: tf.Tensor
    variance: tf.Tensor


def check_eps(eps):
    """Raises UserError unless `eps` is a finite number above 0."""
    if not (isinstance(eps, numbers.Real) and 0 < eps < math.inf):
        raise UserError(
            f"eps: {eps!r} is not a number above 0; a flat guide has"
            " variance 0 and would divide by it, use e.g. 1e-2"
        )


def local_moments(feature, guide, radius: int, dilation: int = 1) -> Moments:
    """Means, covariance and variance of each window, not centred first.

    Args:
        feature: f, float32 or float64 `(batch, height, width, channels)`, all
            but the batch static.
        guide: g, of the same dtype and size, with 1 channel (for all those
            of the feature) or `channels`.
        radius: the window has `2 radius + 1` samples a side.
        dilation: pixels between neighbouring samples.

    Raises:
        UserError: for a radius below 1, shapes or a dtype other than these.
    """
    feature, guide = _checked(feature, guide)

    def mean(x):
        return box_mean(x, radius, dilation)

    f, g = mean(feature), mean(guide)
    return Moments(
        feature_mean=f,
        guide_mean=g,
        covariance=mean(guide * feature) - g * f,
        variance=mean(guide * guide) - g * g,
    )


def closed_slope(covariance, variance, eps: float):
    """A = cov / (var + eps).

    Rounding leaves about 1e-7 g^2 of a variance that is 0, with either sign.
    That is clipped to at least 0, or var + eps could itself be 0 or negative,
    but what remains must be small beside eps: hence no 1e-8 in float32.
    """
    return covariance / (tf.maximum(variance, 0) + eps)


def closed_coefficients(feature, guide, radius: int, eps: float):
    """A and b of every window, each shaped like the feature.

    Args:
        feature: see `local_moments`.
        guide: see `local_moments`.
        radius: the window is `2 radius + 1` pixels wide and high.
        eps: in squared units of the guide; structure of less variance than
            this is smoothed away. At least 1e-4 in float32, for a guide of
            about 1.

    Raises:
        UserError: see `local_moments`; for an eps that is not above 0.
    """
    check_eps(eps)
    f, g, covariance, variance = local_moments(feature, guide, radius)
    a = closed_slope(covariance, variance, eps)
    return a, f - a * g


def guided_filter(feature, guide, radius: int, eps: float):
    """The guided filter of He et al.: mean(A) g + mean(b).

    Every pixel lies in many windows, each with its own line, hence the second
    averaging. `fast_guided_filter(feature, guide, guide, ...)` goes without,
    as the learned forms do.

    Arguments and errors are those of `closed_coefficients`.

    Returns:
        The filtered feature, in its shape and dtype.
    """
    a, b = closed_coefficients(feature, guide, radius, eps)
    return box_mean(a, radius) * guide + box_mean(b, radius)


def fast_guided_filter(
    feature, guide, fine_guide, radius: int, eps: float, align_corners=True
):
    """The fast guided filter: A and b at low resolution, applied at high.

    Args:
        feature: f, `(batch, h, w, channels)`.
        guide: g, of the feature's size; see `local_moments`.
        fine_guide: the guide at full size, `(batch, height, width, any)` with
            as many channels as `guide`.
        radius: of the window, pixels at low resolution.
        eps: see `closed_coefficients`.
        align_corners: see `apply_coefficients`.

    Returns:
        The filtered feature `(batch, height, width, channels)`.

    Raises:
        UserError: see `closed_coefficients` and `apply_coefficients`.
    """
    a, b = closed_coefficients(feature, guide, radius, eps)
    return apply_coefficients(a, b, fine_guide, align_corners)


def apply_coefficients(a, b, fine_guide, align_corners=True):
    """A g + b, with A and b interpolated to the size of the guide g.

    Args:
        a: `(batch, h, w, channels)`, float32 or float64.
        b: of the same shape and dtype.
        fine_guide: `(batch, height, width, 1 or channels)`, the same dtype.
        align_corners: True maps corner pixel onto corner pixel, as Wu et al.
            published; False samples at pixel centres (`tf.image.resize`).

    Returns:
        `(batch, height, width, channels)`.

    Raises:
        UserError: for an unknown size or other channels or dtype.
    """
    a, fine_guide = _checked(a, fine_guide, same_size=False)
    size = fine_guide.shape[1:3]
    a, b = (_interpolate(x, size, align_corners) for x in (a, b))
    return a * fine_guide + b


def _checked(feature, guide, same_size=True):
    """Both as tensors, or UserError if they do not fit each other."""
    feature = tf.convert_to_tensor(feature)
    guide = tf.convert_to_tensor(guide)
    found = (
        f"feature {feature.shape} {feature.dtype.name} and"
        f" guide {guide.shape} {guide.dtype.name}"
    )
    if feature.dtype != guide.dtype or feature.dtype not in (
        tf.float32,
        tf.float64,
    ):
        raise UserError(
            f"{found}: cast both to float32 or both to float64; a variance"
            " does not survive in fewer bits"
        )
    if (
        feature.shape.rank != 4
        or guide.shape.rank != 4
        or None in tuple(feature.shape[1:]) + tuple(guide.shape[1:])
        or guide.shape[-1] not in (1, feature.shape[-1])
        or (same_size and feature.shape[1:3] != guide.shape[1:3])
        or not feature.shape[:1].is_compatible_with(guide.shape[:1])
    ):
        raise UserError(
            f"{found}: need static (batch, height, width, channels) of"
            f" {'one size' if same_size else 'one batch'} and a guide of 1"
            " channel or as many as the feature"
        )
    return feature, guide


def _interpolate(x, size, align_corners):
    """Bilinear resize in the dtype of `x`; TensorFlow's returns float32."""
    rows, columns = (
        tf.constant(_weights(n, m, align_corners), x.dtype)
        for n, m in zip(x.shape[1:3], size, strict=True)
    )
    return tf.einsum("pi,bijc,qj->bpqc", rows, x, columns)


def _weights(n, m, align_corners):
    """The `(m, n)` matrix of linear interpolation from n samples to m."""
    i = np.arange(m)
    if align_corners:
        position = i * (n - 1) / max(m - 1, 1)
    else:
        position = np.clip((i + 0.5) * n / m - 0.5, 0, n - 1)
    return np.maximum(1 - np.abs(position[:, None] - np.arange(n)), 0)

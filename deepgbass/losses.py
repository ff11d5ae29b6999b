"""Semantic boundary-aware learning: the training losses (eqs. 1-3, Fig. 4).

All are plain callables `loss(labels, logits)` over TensorFlow, so they serve
as the `loss=` of a tf_keras or Keras 3 model as well as in a training loop.

Shared conventions: labels are integers (or floats that hold integers)
`(batch, height, width)` or `(batch, height, width, 1)`; logits are floats
`(batch, h, w, num_classes)` of the same or a lower resolution and are resized
to the labels inside (bilinear, half-pixel centres). All is computed in
float32. Ignored pixels change neither value nor gradient; if all are ignored
the loss is 0. A label outside the classes is for the data's reader to refuse:
here TensorFlow raises an error on a CPU and the loss is NaN elsewhere.
"""

from dataclasses import dataclass, field

import tensorflow as tf

from deepgbass import boundary
from deepgbass.errors import UserError

# Guards the ratios: that of two empty sums is 0.
_EPSILON = 1e-10
_REDUCTIONS = ("weights", "mean", "sum")


@dataclass(frozen=True, kw_only=True)
class IgnoreCrossentropy:
    """Softmax cross-entropy, averaged over the pixels that are not ignored.

    Attributes:
        ignore_label: label id that marks ignored pixels.
    """

    ignore_label: int = 255

    def __call__(self, labels, logits, seed=None):
        """Returns a float32 scalar; shapes as in the module's docstring."""
        return self.components(labels, logits, seed)["total"]

    def components(self, labels, logits, seed=None):
        """Returns {"total": scalar}. `seed` is for losses with noise."""
        del seed
        scene = _Scene(labels, logits, self.ignore_label)
        return {"total": scene.mean_crossentropy()}


@dataclass(frozen=True, kw_only=True)
class SBALoss:
    """SBAL: lambda_1 SBL-WCE + lambda_2 SBL (+ lambda_0 cross-entropy).

    See `semantic_boundary_loss` for SBL (eq. 1) and `boundary_weights` for
    the weights of SBL-WCE (eq. 2); eq. 3 sums the weighted cross-entropy.

    Attributes:
        wce_weight: lambda_1.
        sbl_weight: lambda_2. Both are 1: the paper gives no values.
        ce_weight: lambda_0, of a plain mean cross-entropy, which is not in
            the paper's total. With 1, and `wce_weight` 0, the "+SBL" rows of
            Table I.
        ignore_label: label id that marks ignored pixels.
        temperature: of the Gumbel softmax; 0.5 as in GSCNN [13].
        noise: whether Gumbel noise perturbs the logits. For training; a
            validation loss should be made with False.
        threshold: T, 0.1 in the paper.
        normalizer: divisor of the magnitudes; 0.18 makes a unit step 1, 1 is
            the letter of the paper.
        reduction: of eq. 3, over the pixels of the batch: "weights" divides
            by the sum of w, so that the scale does not depend on the size;
            "mean" by the number of valid pixels; "sum" as printed.

    Raises:
        UserError: an argument is out of range.
    """

    wce_weight: float = 1.0
    sbl_weight: float = 1.0
    ce_weight: float = 0.0
    ignore_label: int = 255
    temperature: float = 0.5
    noise: bool = True
    threshold: float = 0.1
    normalizer: float = 0.18
    reduction: str = "weights"

    def __post_init__(self):
        for name in ("temperature", "normalizer"):
            if not getattr(self, name) > 0:
                raise UserError(
                    f"{name} is {getattr(self, name)}; it must be above 0"
                )
        if self.reduction not in _REDUCTIONS:
            raise UserError(
                f"reduction is {self.reduction!r}; it must be one of "
                f"{', '.join(_REDUCTIONS)}"
            )
        weights = (self.wce_weight, self.sbl_weight, self.ce_weight)
        if min(weights) < 0 or max(weights) == 0:
            raise UserError(
                "wce_weight, sbl_weight, ce_weight are "
                f"{', '.join(map(str, weights))}; none may be negative and one "
                "must be above 0"
            )

    def __call__(self, labels, logits, seed=None):
        """Returns the loss.

        Args:
            labels, logits: see the module's docstring.
            seed: None, or integers `(2,)` that fix the noise.

        Returns:
            float32 scalar.

        Raises:
            UserError: shapes do not fit.
        """
        return self.components(labels, logits, seed)["total"]

    def components(self, labels, logits, seed=None):
        """The loss and its parts, from one pass.

        Returns:
            dict of float32 scalars: `total`, `sbl`, `wce`, `ce`, and
            `mean_weight`, the mean of w over the valid pixels.
        """
        scene = _Scene(labels, logits, self.ignore_label, least_size=5)
        noise = None
        if self.noise:
            noise = boundary.gumbel_noise(tf.shape(scene.logits), seed)
        soft = boundary.soft_argmax(scene.logits, self.temperature, noise)
        # Ignored pixels are 0 in both maps, so that they differ in neither.
        maps = (soft * scene.valid[..., None], scene.one_hot())
        magnitudes = [
            boundary.gradient_magnitude(m, self.normalizer) for m in maps
        ]
        weights = boundary_weights(*magnitudes, scene.valid, self.threshold)
        parts = {
            "wce": self._reduce(scene, weights),
            "sbl": semantic_boundary_loss(
                *magnitudes, scene.valid, self.threshold
            ),
            "ce": scene.mean_crossentropy(),
        }
        factors = (self.wce_weight, self.sbl_weight, self.ce_weight)
        # No gradient is computed through a term without weight.
        total = tf.add_n(
            [f * x for f, x in zip(factors, parts.values(), strict=True) if f]
        )
        mean_weight = tf.reduce_sum(weights) / scene.count
        return {"total": total, **parts, "mean_weight": mean_weight}

    def _reduce(self, scene, weights):
        total = tf.reduce_sum(weights * scene.crossentropy)
        if self.reduction == "weights":
            return total / (tf.reduce_sum(weights) + _EPSILON)
        return total / scene.count if self.reduction == "mean" else total


@dataclass(frozen=True, kw_only=True)
class SemanticBoundaryLoss(SBALoss):
    """SBL alone (eq. 1). It cannot name classes: add a cross-entropy.

    Attributes: as `SBALoss`, without the weights of its terms and without
        the reduction, which is eq. 3's.
    """

    wce_weight: float = field(default=0.0, init=False)
    sbl_weight: float = field(default=1.0, init=False)
    ce_weight: float = field(default=0.0, init=False)
    reduction: str = field(default="weights", init=False)


@dataclass(frozen=True, kw_only=True)
class BoundaryWeightedCrossentropy(SBALoss):
    """SBL-WCE alone (eqs. 2 and 3).

    Attributes: as `SBALoss`, without the weights of its terms.
    """

    wce_weight: float = field(default=1.0, init=False)
    sbl_weight: float = field(default=0.0, init=False)
    ce_weight: float = field(default=0.0, init=False)


def semantic_boundary_loss(predicted, true, valid, threshold):
    """SBL (eq. 1), with M = [xi > T] and sums over batch, pixels, classes.

        sum(M |xi - xi_hat|) / 2 sum(M) + the same with M_hat

    Args:
        predicted, true: xi and xi_hat, `(batch, height, width, num_classes)`.
        valid: float32 `(batch, height, width)`, 0 where ignored.
        threshold: T.

    Returns:
        float32 scalar; a half whose mask is empty is 0.
    """

    def total(maps):
        # By pixel before by image: classes need no masking by `valid` then.
        return tf.reduce_sum(tf.reduce_sum(maps, axis=-1) * valid)

    masks = [boundary.boundary_mask(xi, threshold) for xi in (predicted, true)]
    # One weighted sum for both ratios: the masks have no gradient.
    weights = tf.add_n([0.5 / (total(m) + _EPSILON) * m for m in masks])
    return total(weights * tf.abs(predicted - true))


def boundary_weights(predicted, true, valid, threshold):
    """w of eq. 2: the error of a pixel's boundary over all classes.

        w = (R(M) + R(M_hat)) |R(xi) - R(xi_hat)| / 2

    R, the paper's logical OR over channels, is read as their maximum, which
    is the OR of the masks and extends it to the magnitudes.

    Args: as `semantic_boundary_loss`.

    Returns:
        float32 `(batch, height, width)`, without gradient: at least 0, and at
        most the largest magnitude.
    """
    tops = [
        tf.reduce_max(tf.stop_gradient(xi), axis=-1) for xi in (predicted, true)
    ]
    masks = [boundary.boundary_mask(top, threshold) for top in tops]
    return 0.5 * tf.add_n(masks) * tf.abs(tops[0] - tops[1]) * valid


class _Scene:
    """Labels and logits of a batch in the form that all losses need.

    Attributes:
        logits: float32 `(batch, height, width, num_classes)`.
        valid: float32 `(batch, height, width)`, 0 where ignored.
        crossentropy: float32 `(batch, height, width)`, 0 where ignored.
        count: float32, number of valid pixels, at least 1.
    """

    def __init__(self, labels, logits, ignore_label, least_size=1):
        labels = tf.convert_to_tensor(labels)
        logits = tf.cast(logits, tf.float32)
        if labels.shape.rank == 4 and labels.shape[-1] == 1:
            labels = labels[..., 0]
        _check_shapes(labels.shape, logits.shape, least_size)
        labels = tf.cast(labels, tf.int32)
        low, full = logits.shape[1:3], labels.shape[1:3]
        # Unknown sizes compare as equal, and may differ all the same.
        if low != full or not low.is_fully_defined():
            logits = tf.image.resize(logits, tf.shape(labels)[1:])
        is_valid = labels != ignore_label
        # Cross-entropy of an id outside the classes is NaN, even times 0.
        classes = tf.where(is_valid, labels, 0)
        self.logits = logits
        self.valid = tf.cast(is_valid, tf.float32)
        self.crossentropy = self.valid * (
            tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
        )
        self.count = tf.maximum(tf.reduce_sum(self.valid), 1.0)
        self._labels = tf.where(is_valid, labels, -1)

    def one_hot(self):
        """The truth as float32 like `logits`; zeros where ignored."""
        return tf.one_hot(self._labels, self.logits.shape[-1])

    def mean_crossentropy(self):
        return tf.reduce_sum(self.crossentropy) / self.count


def _check_shapes(labels, logits, least_size):
    if labels.rank != 3 or logits.rank != 4:
        raise UserError(
            "labels must be (batch, height, width) and logits (batch, h, w, "
            f"num_classes), but they are {labels} and {logits}"
        )
    if not labels[:1].is_compatible_with(logits[:1]):
        raise UserError(
            f"labels {labels} and logits {logits} differ in the batch; give "
            "as many label maps as logit maps"
        )
    for size, low in zip(labels[1:], logits[1:3], strict=True):
        if size is not None and size < least_size:
            raise UserError(
                f"labels are {labels}: boundaries need at least {least_size} "
                "pixels each way; use larger images or crops"
            )
        if None not in (size, low) and low > size:
            raise UserError(
                f"logits {logits} have a higher resolution than labels "
                f"{labels}; give labels of at least the logits' size"
            )

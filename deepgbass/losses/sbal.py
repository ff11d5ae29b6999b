"""SBAL, the whole of it: SBL and SBL-WCE from one pass (eqs. 1-3, Fig. 4)."""

from dataclasses import dataclass

import tensorflow as tf

from deepgbass.configs import LOSS_CHOICES
from deepgbass.errors import UserError
from deepgbass.losses import boundary, boundary_errors
from deepgbass.losses.gumbel_softmax import gumbel_noise, soft_argmax
from deepgbass.losses.scene import Scene
from deepgbass.losses.shares import mean, reduced


@dataclass(frozen=True, kw_only=True)
class SBALoss:
    """SBAL: lambda_1 SBL-WCE + lambda_2 SBL (+ lambda_0 cross-entropy).

    The defaults are decisions where the paper is silent, with reasons in
    docs/where-the-paper-is-silent.md. GSCNN is the paper's reference [13],
    whose loss SBL is; what is said of its code holds with the early returns
    removed that make its filters do nothing.

    Attributes:
        wce_weight: lambda_1.
        sbl_weight: lambda_2. Both are 1: the paper gives no values.
        ce_weight: lambda_0, of a plain mean cross-entropy, which is not in
            the paper's total. With 1, and `wce_weight` 0, the "+SBL" rows of
            Table I.
        ignore_label: label id that marks ignored pixels.
        temperature: of the Gumbel softmax; 0.5 as in GSCNN. 1: the paper,
            which names none.
        noise: whether Gumbel noise perturbs the logits, at every call, as in
            GSCNN. A validation loss should be made with False.
        threshold: T, 0.1 in the paper; 1e-8 in GSCNN.
        normalizer: divisor of the magnitudes; 0.18 makes a unit step 1, 1 is
            the letter of the paper.
        normalization: "constant" divides by `normalizer`; "batch_max" by the
            largest magnitude of the batch, as GSCNN; "image_max" by that of
            each image, the same for batches of one. Gradients pass through
            the maximum. A map without any step is boundary throughout, as in
            GSCNN: not for images of one class.
        border: of the derivative, see `boundary.gradient_magnitude`.
            "symmetric"; "zeros" as GSCNN runs; "one_sided" as a helper in
            its code suggests.
        ignore_mode: "neutral": ignored pixels are 0 in all classes of both
            maps, and in no mask. "dilated": nor is any pixel in a mask that
            the filters connect with an ignored one (5 pixels each way).
            "gscnn": as GSCNN, ignored pixels have logits 0 and class 0 and
            are in the masks like others. "gscnn_masked": so, but in no mask.
        per_image: whether the ratios of eq. 1 are taken for every image, as
            the formula's lack of a batch index may mean, then averaged. False
            as in GSCNN: sums over the batch.
        reading: R of eq. 2, see `boundary_errors.boundary_weights`.
        stop_weights: whether w is a constant to the gradient, as "weight"
            suggests. False: eqs. 2 and 3 differentiated as they stand.
        reduction: of eq. 3, over the pixels of the batch: "weights" divides
            by the sum of w, so that the scale does not depend on the size;
            "mean" by the number of pixels that may be in a mask; "sum" as
            printed.

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
    normalization: str = "constant"
    border: str = "symmetric"
    ignore_mode: str = "neutral"
    per_image: bool = False
    reading: str = "max"
    stop_weights: bool = True
    reduction: str = "weights"

    parts = (
        "total",
        "wce",
        "sbl",
        "ce",
        "sbl_predicted",
        "sbl_true",
        "mean_weight",
    )
    counts_need_logits = True

    def __post_init__(self):
        for name in ("temperature", "normalizer"):
            if not getattr(self, name) > 0:
                raise UserError(
                    f"{name} is {getattr(self, name)}; it must be above 0"
                )
        if not self.threshold >= 0:
            raise UserError(
                f"threshold is {self.threshold}; it must be 0 or above"
            )
        for name, choices in LOSS_CHOICES.items():
            if getattr(self, name) not in choices:
                raise UserError(
                    f"{name} is {getattr(self, name)!r}; it must be one of "
                    f"{', '.join(choices)}"
                )
        weights = (self.wce_weight, self.sbl_weight, self.ce_weight)
        if not all(w >= 0 for w in weights) or not any(weights):
            raise UserError(
                "wce_weight, sbl_weight, ce_weight are "
                f"{', '.join(map(str, weights))}; none may be negative and one "
                "must be above 0"
            )

    def __call__(self, labels, logits, seed=None, noise=None):
        """Returns the loss.

        Args:
            labels, logits: see `deepgbass.losses`.
            seed: None, or integers `(2,)` that fix the noise, or `(3,)`: the
                third is the place of the first image in a larger batch, whose
                noise this is a part of.
            noise: None, or the Gumbel noise itself, floats
                `(batch, height, width, num_classes)` with the labels' height
                and width; added whether or not the loss draws any.

        Returns:
            float32 scalar.

        Raises:
            UserError: shapes or types do not fit.
        """
        return self.components(labels, logits, seed, noise)["total"]

    def components(self, labels, logits, seed=None, noise=None, reduce=None):
        """The loss and its parts, from one pass.

        Args:
            labels, logits, seed, noise: as `__call__`.
            reduce: None, or function from this part's `counts` to those of
                the whole batch, a constant to the gradient.

        Returns:
            dict of float32 scalars: `total`, `sbl`, `wce`, `ce`; the ratios
            whose mean SBL is, `sbl_predicted` by M and `sbl_true` by M_hat;
            and `mean_weight`, the mean of w over the valid pixels.
        """
        scene, mask, sums, weights = self._compare(labels, logits, seed, noise)
        counts = reduced(_counts(scene, mask, sums, weights), reduce)
        valid, pixels, weight, *totals = tf.unstack(counts)
        terms = boundary_errors.semantic_boundary_terms(
            sums, self.per_image, tf.stack(totals)
        )
        parts = {
            "wce": self._weighted(scene, weights, pixels, weight),
            "sbl": tf.reduce_mean(terms),
            "ce": mean(scene.crossentropy, valid),
        }
        factors = (self.wce_weight, self.sbl_weight, self.ce_weight)
        # No gradient is computed through a term without weight.
        total = tf.add_n(
            [f * x for f, x in zip(factors, parts.values(), strict=True) if f]
        )
        return {
            "total": total,
            **parts,
            "sbl_predicted": terms[0],
            "sbl_true": terms[1],
            "mean_weight": mean(weights, valid),
        }

    def counts(self, labels, logits, seed=None, noise=None):
        """What the terms divide by: sums over the pixels of these images.

        Returns:
            float32 `(6,)`: valid pixels, pixels that may be in a mask, w,
            images, and mask sizes of prediction and truth over all classes.
        """
        return _counts(*self._compare(labels, logits, seed, noise))

    def require_divisible(self):
        """Makes sure that parts of a batch can have shares of the loss.

        Raises:
            UserError: the loss couples the parts by more than `counts`.
        """
        if self.normalization == "batch_max":
            raise UserError(
                "loss.normalization 'batch_max' needs the whole batch at "
                "once: use 'image_max' or 'constant', or one device and no "
                "accumulation"
            )
        if not self.stop_weights and self.reduction == "weights":
            raise UserError(
                "stop_weights=False with reduction 'weights' needs the whole "
                "batch at once: use reduction 'mean', or one device and no "
                "accumulation"
            )

    def maps(self, labels, logits, seed=None, noise=None):
        """What the loss sees, for inspection.

        Args: as `__call__`.

        Returns:
            dict of float32 tensors: `predicted` and `true`, xi and xi_hat
            `(batch, height, width, num_classes)`; `predicted_mask` and
            `true_mask`, M and M_hat, of the same shape; `weights`, w of
            eq. 2, `(batch, height, width)`.
        """
        scene = Scene(labels, logits, self.ignore_label, least_size=5)
        predicted, true, mask = self._boundaries(scene, seed, noise)
        masks = [
            boundary.boundary_mask(xi, self.threshold) * mask[..., None]
            for xi in (predicted, true)
        ]
        return {
            "predicted": predicted,
            "true": true,
            "predicted_mask": masks[0],
            "true_mask": masks[1],
            "weights": mask
            * boundary_errors.boundary_weights(
                predicted, true, self.threshold, self.reading
            ),
        }

    def _compare(self, labels, logits, seed, noise):
        scene = Scene(labels, logits, self.ignore_label, least_size=5)
        predicted, true, mask = self._boundaries(scene, seed, noise)
        sums, weights = boundary_errors.boundary_errors(
            predicted,
            true,
            mask,
            self.threshold,
            self.reading,
            constant=self.stop_weights,
        )
        return scene, mask, sums, weights

    def _boundaries(self, scene, seed, noise):
        """xi, xi_hat, and 0 for the pixels that no mask may hold."""
        logits, labels = scene.logits, scene.labels
        valid = mask = scene.valid
        if self.ignore_mode == "dilated":
            mask = 1 - tf.nn.max_pool2d(1 - valid[..., None], 11, 1, "SAME")
            mask = mask[..., 0]
        elif self.ignore_mode.startswith("gscnn"):
            logits = tf.where(valid[..., None] > 0, logits, 0)
            labels = tf.maximum(labels, 0)
            valid = None
            if self.ignore_mode == "gscnn":
                mask = tf.ones_like(mask)
        if noise is not None:
            noise = tf.cast(noise, tf.float32)
            if not noise.shape.is_compatible_with(logits.shape):
                raise UserError(
                    f"noise is {noise.shape}; it must be {logits.shape}, of "
                    "the labels' size"
                )
        elif self.noise:
            noise = gumbel_noise(tf.shape(logits), seed)
        soft = soft_argmax(logits, self.temperature, noise, valid)
        is_constant = self.normalization == "constant"
        options = (self.normalizer if is_constant else 1.0, self.border)
        predicted = boundary.gradient_magnitude(soft, *options)
        true = boundary.label_magnitude(labels, logits.shape[-1], *options)
        if not is_constant:
            axes = (1, 2, 3) if self.normalization == "image_max" else None
            predicted, true = (
                xi / tf.reduce_max(xi, axes, keepdims=True)
                for xi in (predicted, true)
            )
        return predicted, true, mask

    def _weighted(self, scene, weights, pixels, weight):
        total = tf.reduce_sum(weights * scene.crossentropy)
        if self.reduction == "weights":
            return total / (weight + boundary_errors.EPSILON)
        if self.reduction == "mean":
            return total / tf.maximum(pixels, 1.0)
        return total


def _counts(scene, mask, sums, weights):
    counts = [scene.count, tf.reduce_sum(mask), tf.reduce_sum(weights)]
    totals = boundary_errors.batch_totals(sums)
    return tf.concat([tf.stack(counts), totals], axis=0)

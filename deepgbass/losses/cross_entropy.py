"""Plain cross-entropy: the baseline's loss, and a part of the +SBL rows'."""

from dataclasses import dataclass

import tensorflow as tf

from deepgbass.losses.scene import Scene
from deepgbass.losses.shares import mean, reduced


@dataclass(frozen=True, kw_only=True)
class IgnoreCrossentropy:
    """Softmax cross-entropy, averaged over the pixels that are not ignored.

    Attributes:
        ignore_label: label id that marks ignored pixels.
    """

    ignore_label: int = 255

    # Names in `components`; whether `counts` looks at the logits.
    parts = ("total", "ce")
    counts_need_logits = False

    def __call__(self, labels, logits, seed=None):
        """Returns a float32 scalar; shapes as in `deepgbass.losses`."""
        return self.components(labels, logits, seed)["total"]

    def components(self, labels, logits, seed=None, reduce=None):
        """Returns the scalars "total" and "ce", which are the same.

        Args:
            seed: for losses with noise.
            reduce: as `SBALoss.components`.
        """
        del seed
        scene = Scene(labels, logits, self.ignore_label)
        count = reduced(scene.count[None], reduce)[0]
        value = mean(scene.crossentropy, count)
        return {"total": value, "ce": value}

    def counts(self, labels, logits=None, seed=None):
        """What the loss divides by: float32 `(1,)`, the valid pixels."""
        del logits, seed
        valid = tf.convert_to_tensor(labels) != self.ignore_label
        return tf.reduce_sum(tf.cast(valid, tf.float32))[None]

    def require_divisible(self):
        """Does nothing: see `SBALoss.require_divisible`."""

"""Crops in which no single class rules, so that rare classes are seen more.

The rule is that of MMSegmentation's `RandomCrop(cat_max_ratio=...)`: a crop
that one class fills too far is drawn anew, a limited number of times. The
paper does not do this; it is off by default.
"""

import tensorflow as tf

from deepgbass.data import augment
from deepgbass.data.dataset_info import IGNORE_LABEL

# Places tried after the first; the last one is taken as it is.
TRIES = 10


def avoid_dominance(
    geometry: augment.Geometry, label, crop_size, seed, max_share: float
) -> augment.Geometry:
    """Moves a crop until no class has too much of its labelled pixels.

    Only the place changes: choosing among scales would favour small ones.

    Args:
        geometry: The crop to begin with; it stays where it is good.
        label: Integer `(height, width)`, the whole label with
            `IGNORE_LABEL`.
        crop_size: Height and width of the crop.
        seed: Integer `(2,)`, a stateless seed: equal seeds, equal crops.
        max_share: Share of the labelled pixels from which one class is too
            much, above 0 and at most 1. A crop with one class, or none, is
            never good.
    """

    def is_bad(attempt, geometry):
        crop = augment.warp_label(label, geometry, crop_size)
        counts = tf.math.bincount(
            tf.cast(crop, tf.int32),
            minlength=IGNORE_LABEL + 1,
            dtype=tf.float32,
        )[:IGNORE_LABEL]
        most = tf.reduce_max(counts)
        bad = most >= max_share * tf.reduce_sum(counts)
        return tf.logical_and(attempt < TRIES, bad)

    def move(attempt, geometry):
        place = tf.random.experimental.stateless_fold_in(seed, attempt)
        return attempt + 1, augment.move_crop(geometry, crop_size, place)

    _, geometry = tf.while_loop(is_bad, move, (tf.constant(0), geometry))
    return geometry

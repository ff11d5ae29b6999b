"""From an encoded image and its label to one training crop (section IV.A)."""

import tensorflow as tf

from deepgbass.configs import DataConfig
from deepgbass.data import augment, balance, color, decoding

# Streams of random numbers, independent of each other and of the recipe's.
_COLOR, _PLACE = 0, 1


def random_crop(encoded, label, seed, config: DataConfig):
    """Takes one random crop of an image and its label.

    Args:
        encoded: Scalar string, a JPEG, PNG or BMP file. Of a JPEG, only the
            part that the crop shows is decoded.
        label: `(height, width)` of the image's size, with `IGNORE_LABEL`.
        seed: Integer `(2,)`, a stateless seed: equal seeds, equal crops.
        config: How the crop is taken.

    Returns:
        Image float32 `(crop height, crop width, 3)`, 0..255, and label
        `(crop height, crop width)` of the label's dtype.
    """
    size = config.crop_size
    geometry = augment.sample_geometry(
        tf.shape(label),
        size,
        seed,
        longer_side=config.resize_longer_side,
        min_scale=config.min_scale,
        max_scale=config.max_scale,
        flip=config.flip,
    )
    if config.max_class_share is not None:
        geometry = balance.avoid_dominance(
            geometry, label, size, _fold(seed, _PLACE), config.max_class_share
        )
    window, origin = _decode_window(encoded, geometry)
    return (
        augment.warp_image(
            window, origin, geometry, size, _recolor(seed, config)
        ),
        augment.warp_label(label, geometry, size),
    )


def _recolor(seed, config):
    names = ("brightness", "contrast", "saturation", "hue")
    limits = {name: getattr(config, name) for name in names}
    if not any(limits.values()):
        return None
    return lambda image: color.jitter(image, _fold(seed, _COLOR), **limits)


def _fold(seed, stream):
    return tf.random.experimental.stateless_fold_in(seed, stream)


def _decode_window(encoded, geometry):
    """The image as far as the crop needs it, and where that part begins."""
    window = augment.source_window(geometry)
    # Only JPEGs can be decoded in part.
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: (
            tf.io.decode_and_crop_jpeg(
                encoded, window, 3, dct_method="INTEGER_ACCURATE"
            ),
            window[:2],
        ),
        lambda: (decoding.decode_image(encoded), tf.zeros_like(window[:2])),
    )

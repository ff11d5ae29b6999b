"""Random changes of colour, of the image alone.

The paper has none; they are off by default. All are functions of a stateless
seed, and every value stays in 0..255.
"""

import tensorflow as tf


def jitter(
    image,
    seed,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> tf.Tensor:
    """Changes brightness, contrast, saturation and hue, in this order.

    The amounts are drawn uniformly between minus and plus the limits below;
    a limit of 0 leaves its property alone.

    Args:
        image: float32 `(height, width, 3)` RGB, 0..255.
        seed: Integer `(2,)`, a stateless seed: equal seeds, equal changes.
        brightness: Share of 255 added to all values, 0..1.
        contrast: Change of the factor 1 by which values are spread about the
            mean of their channel, 0..1.
        saturation: Change of the factor 1 of the saturation in HSV, 0..1.
        hue: Shift of the hue in turns of the colour circle, 0..0.5.

    Returns:
        float32 `(height, width, 3)` RGB, 0..255.
    """
    draws = tf.random.stateless_uniform((4,), seed, minval=-1.0)
    image = image / 255
    if brightness:
        image = image + brightness * draws[0]
    if contrast:
        image = tf.image.adjust_contrast(image, 1 + contrast * draws[1])
    # Saturation and hue are defined for colours that exist.
    image = tf.clip_by_value(image, 0, 1)
    if saturation:
        image = tf.image.adjust_saturation(image, 1 + saturation * draws[2])
    if hue:
        image = tf.image.adjust_hue(image, hue * draws[3])
    return 255 * tf.clip_by_value(image, 0, 1)

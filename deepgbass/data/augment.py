"""Random scale, crop and flip, one geometry for the image and its label.

A crop is an affine window on the source: with half-pixel centres, crop pixel
i shows source position (i + offset + 0.5) * source / scaled - 0.5. The image
is sampled there bilinearly, the label by its nearest pixel. Only the pixels
of the crop are computed; the scaled image never exists as a whole.

The scale is uniform in a continuous range, as the paper (section IV.A) says;
TF DeepLab draws it from steps of 0.25. Where the longer side is first brought
to a fixed length, as the paper does for ADE20K-32, the two factors are one.
As in TF DeepLab, what lies outside the image is mean pixel and ignored label,
below and to the right before the flip.
"""

from typing import NamedTuple

import tensorflow as tf

from deepgbass.data.dataset_info import IGNORE_LABEL

# Becomes 0 in the network's -1..1 scaling.
MEAN_PIXEL = 127.5


class Geometry(NamedTuple):
    """Where a crop lies.

    Attributes:
        source: int32 `(2,)`, height and width of the source.
        scaled: int32 `(2,)`, height and width after scaling.
        offset: int32 `(2,)`, top and left of the crop in the scaled image.
        size: int32 `(2,)`, height and width of the crop's part that shows
            the image; the rest of the crop is padding.
        flip: Scalar bool, whether left and right change places.
    """

    source: tf.Tensor
    scaled: tf.Tensor
    offset: tf.Tensor
    size: tf.Tensor
    flip: tf.Tensor


def sample_geometry(
    source_size,
    crop_size,
    seed,
    *,
    longer_side=None,
    min_scale=0.5,
    max_scale=2.0,
    flip=True,
) -> Geometry:
    """Draws a crop.

    Args:
        source_size: int32 `(2,)`, height and width of the source.
        crop_size: Height and width of the crop.
        seed: Integer `(2,)`, a stateless seed: equal seeds, equal crops.
        longer_side: None, or pixels of the source's longer side at scale 1.
        min_scale: Least factor of the scaling.
        max_scale: Greatest factor of the scaling.
        flip: Whether to mirror half of the crops.
    """
    draws = tf.random.stateless_uniform((4,), seed)
    scale = min_scale + (max_scale - min_scale) * draws[0]
    source = tf.convert_to_tensor(source_size, tf.int32)
    if longer_side is not None:
        scale *= longer_side / tf.cast(tf.reduce_max(source), tf.float32)
    scaled = tf.cast(tf.round(tf.cast(source, tf.float32) * scale), tf.int32)
    scaled = tf.maximum(scaled, 1)
    return Geometry(
        source,
        scaled,
        _draw_offset(scaled, crop_size, draws[1:3]),
        tf.minimum(scaled, tf.constant(crop_size)),
        tf.logical_and(draws[3] < 0.5, flip),
    )


def move_crop(geometry: Geometry, crop_size, seed) -> Geometry:
    """Draws another place for a crop; scale and flip stay."""
    draws = tf.random.stateless_uniform((2,), seed)
    offset = _draw_offset(geometry.scaled, crop_size, draws)
    return geometry._replace(offset=offset)


def _draw_offset(scaled, crop_size, draws):
    room = tf.maximum(scaled - tf.constant(crop_size), 0)
    # The draws are below 1, so every offset in 0..room is equally likely.
    places = tf.cast(room + 1, tf.float32)
    return tf.minimum(tf.cast(tf.floor(draws * places), tf.int32), room)


def source_window(geometry: Geometry) -> tf.Tensor:
    """The source pixels that a crop depends on.

    Returns:
        int32 `(4,)`: top, left, height, width. Two pixels wider on each side
        than bilinear sampling asks, because a JPEG decoded in part may
        differ from the whole in the outermost pixels.
    """
    step = tf.cast(geometry.source / geometry.scaled, tf.float32)
    first = tf.cast(geometry.offset, tf.float32) * step
    last = tf.cast(geometry.offset + geometry.size, tf.float32) * step
    start = tf.maximum(tf.cast(tf.floor(first), tf.int32) - 3, 0)
    end = tf.cast(tf.math.ceil(last), tf.int32) + 3
    end = tf.minimum(end, geometry.source)
    return tf.concat([start, end - start], 0)


def warp_image(
    window, origin, geometry: Geometry, crop_size, recolor=None
) -> tf.Tensor:
    """Samples a crop of an image bilinearly.

    Args:
        window: `(height, width, 3)`, the source or the part of it that
            `source_window` names.
        origin: int32 `(2,)`, top and left of `window` in the source.
        geometry: The crop.
        crop_size: Height and width of the crop.
        recolor: None, or function of the part of the crop that shows the
            image, float32 `(height, width, 3)`, that returns it with other
            colours. Padding stays mean pixel.

    Returns:
        float32 `(crop height, crop width, 3)` in the units of the source.
    """
    scale = tf.cast(geometry.scaled / geometry.source, tf.float32)
    shift = tf.cast(origin, tf.float32) * scale
    shift -= tf.cast(geometry.offset, tf.float32)
    crop = tf.raw_ops.ScaleAndTranslate(
        images=window[tf.newaxis],
        size=geometry.size,
        scale=scale,
        translation=shift,
        kernel_type="triangle",
        antialias=False,
    )[0]
    if recolor is not None:
        crop = recolor(crop)
    return _pad_and_flip(crop, geometry, crop_size, MEAN_PIXEL)


def warp_label(label, geometry: Geometry, crop_size) -> tf.Tensor:
    """Takes the nearest label of every pixel of a crop.

    Args:
        label: `(height, width)`, the whole label.
        geometry: The crop.
        crop_size: Height and width of the crop.

    Returns:
        `(crop height, crop width)` of the label's dtype; outside the image
        `IGNORE_LABEL`.
    """
    for axis in (0, 1):
        # floor((i + offset + 0.5) * source / scaled) in integers: exact.
        place = tf.range(geometry.size[axis]) + geometry.offset[axis]
        source, scaled, place = (
            tf.cast(value, tf.int64)  # panoramas would overflow 32 bits
            for value in (geometry.source[axis], geometry.scaled[axis], place)
        )
        nearest = (2 * place + 1) * source // (2 * scaled)
        label = tf.gather(label, nearest, axis=axis)
    return _pad_and_flip(label, geometry, crop_size, IGNORE_LABEL)


def _pad_and_flip(crop, geometry, crop_size, value):
    after = tf.constant(crop_size) - geometry.size
    amounts = [(0, after[0]), (0, after[1])] + [(0, 0)] * (crop.shape.rank - 2)
    crop = tf.pad(crop, amounts, constant_values=value)
    crop = tf.cond(
        geometry.flip, lambda: tf.reverse(crop, axis=[1]), lambda: crop
    )
    return tf.ensure_shape(crop, (*crop_size, *crop.shape[2:]))

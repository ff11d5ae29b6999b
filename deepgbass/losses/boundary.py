"""Semantic boundaries of class maps (section III.B and Fig. 4), differentiable.

Triangle filter, gradient magnitude and mask, as pure functions in float32
whatever the network computes in: the boundary pixels of a step edge lie within
5e-6 of the threshold, less than half precision can tell apart.

Every pass over the maps is a function of its own that XLA compiles to one
loop. Compiled together they would be slower: XLA computes what a filter reads
anew for each of its taps. A map is mirrored beyond the frame once, as far as
all filters reach, and every pass returns a smaller one.
"""

import tensorflow as tf

from deepgbass.compiled import compiled

# Bandwidth 9: spreads a boundary like a dilation, but smoothly.
TRIANGLE = (1, 2, 3, 4, 5, 4, 3, 2, 1)
# The filters sum with these whole numbers; that is their gain.
_GAIN = sum(TRIANGLE) ** 2

# Keeps the root's gradient finite, and the third pixel beside a step edge,
# whose magnitude would be exactly 0.1, above the threshold of 0.1.
_EPSILON = 1e-6

# How far the triangle and the derivative together reach, in pixels.
_REACH = 5


def gradient_magnitude(maps, normalizer=0.18, border="symmetric"):
    """Per-class gradient magnitude: xi of eqs. 1 and 2.

    Every channel is smoothed by the triangle filter in both directions, then
    differentiated by [-0.5, 0, 0.5]. The smoothing sees the map mirrored at
    the image frame.

    Args:
        maps: float32 `(batch, height, width, num_classes)`, values 0..1;
            height and width at least 5.
        normalizer: divisor; 0.18 is the peak beside a straight unit step,
            1 the letter of the paper.
        border: what the derivative sees beyond the frame. "symmetric": the
            mirrored map, so that the frame is no edge. "one_sided": nothing;
            a one-sided difference takes its place (`numpy.gradient`; a helper
            of GSCNN's code [13] that is never called). "zeros": zeros, as
            that code runs, which makes the frame an edge.

    Returns:
        float32 of the same shape, from 0.001 / normalizer to about
        0.189 / normalizer, or 0.707 / normalizer with "zeros".
    """

    @tf.custom_gradient
    def call(maps):
        # The gradient reaches twice as far as the value.
        sums = _smooth(_mirrored(maps, 2 * _REACH))
        magnitude = _magnitude(sums, _REACH, normalizer, border)

        def gradient(upstream):
            factor = _mirrored_quotient(upstream, magnitude, normalizer)
            # Mirroring makes a symmetric kernel its own adjoint.
            return _smooth(_slopes_adjoint(factor, sums, border))

        return magnitude, gradient

    return call(maps)


def label_magnitude(labels, num_classes, normalizer=0.18, border="symmetric"):
    """`gradient_magnitude` of one-hot labels: xi_hat of eqs. 1 and 2.

    Args:
        labels: int32 `(batch, height, width)`; an id outside the classes is
            of no class.
    """
    # Small integers hold the sums, in half the memory.
    one_hot = tf.one_hot(_mirrored(labels, _REACH), num_classes, dtype=tf.int8)
    sums = _smooth_width(_smooth_height(one_hot), tf.int16)
    return _magnitude(sums, 0, normalizer, border)


def boundary_mask(magnitude, threshold):
    """Where the magnitude exceeds the threshold: M of eqs. 1 and 2.

    Returns:
        float32 of 0 and 1; no gradient flows through it.
    """
    return tf.cast(magnitude > threshold, tf.float32)


@compiled
def _mirrored(maps, radius):
    return _mirror(maps, radius)


def _mirror(maps, radius):
    """Mirrors maps beyond the frame, dcba|abcd|dcba, by any radius."""
    for axis in (1, 2):
        image_of, _ = _reflection(tf.shape(maps)[axis], radius)
        maps = tf.gather(maps, image_of, axis=axis)
    return maps


def _reflection(size, radius):
    """Of the pixels -radius..size + radius of a mirrored line, the pixel of
    the line that each repeats, and whether in reversed order."""
    position = tf.range(-radius, size + radius) % (2 * size)
    is_reversed = position >= size
    return tf.where(is_reversed, 2 * size - 1 - position, position), is_reversed


def _smooth(maps):
    return _smooth_width(_smooth_height(maps))


@compiled
def _smooth_height(maps):
    rows = _flat(maps)
    return _unflat(_triangle(lambda i: rows[:, _window(i, 8)]), maps)


@compiled
def _smooth_width(maps, dtype=tf.float32):
    rows, step = tf.cast(_flat(maps), dtype), maps.shape[-1]
    return _unflat(_triangle(lambda i: rows[:, :, _window(i, 8, step)]), maps)


def _triangle(shifted):
    return sum(weight * shifted(i) for i, weight in enumerate(TRIANGLE))


@compiled
def _mirrored_quotient(upstream, magnitude, normalizer):
    return _mirror(upstream / magnitude / (_GAIN * normalizer) ** 2, _REACH)


@compiled
def _magnitude(sums, surplus, normalizer, border):
    """Of sums mirrored by `surplus` + 1; the result is not mirrored."""
    inner = slice(surplus, -surplus or None)
    across, down = _slopes(sums[:, inner, inner], border, 0)
    squares = (tf.square(across) + tf.square(down)) / _GAIN**2
    return _unflat(tf.sqrt(squares + _EPSILON) / normalizer, sums)


def _slopes(sums, border, radius):
    """Derivatives along width and height.

    Args:
        sums: mirrored by `radius` + 1.

    Returns:
        two arrays `(batch, height, width * num_classes)`, float32, mirrored
        by `radius`.
    """
    step, rows = sums.shape[-1], tf.cast(_flat(sums), tf.float32)
    (left, right), (above, below) = _arms(sums, border, radius + 1)
    across = (
        right * rows[:, 1:-1, _window(2, 2, step)]
        - left * rows[:, 1:-1, _window(0, 2, step)]
    )
    down = (
        below * rows[:, _window(2, 2), step:-step]
        - above * rows[:, _window(0, 2), step:-step]
    )
    return across, down


@compiled
def _slopes_adjoint(factor, sums, border):
    """The adjoint of `_slopes`, applied to `factor` times the slopes.

    Args:
        factor: mirrored by `_REACH`, `sums` by one pixel more.

    Returns:
        maps mirrored by one pixel less.
    """
    step, rows = sums.shape[-1], _flat(factor)
    across, down = (rows * slope for slope in _slopes(sums, border, _REACH))
    (left, right), (above, below) = _arms(sums, border, _REACH + 1)
    return _unflat(
        (right * across)[:, 1:-1, _window(0, 2, step)]
        - (left * across)[:, 1:-1, _window(2, 2, step)]
        + (below * down)[:, _window(0, 2), step:-step]
        - (above * down)[:, _window(2, 2), step:-step],
        sums,
    )


def _arms(maps, border, radius):
    """Weights of a pixel's neighbours in its derivative.

    Args:
        maps: mirrored by `radius`.

    Returns:
        (left, right), (above, below), for the pixels but the outermost; to
        be broadcast to `(batch, height, width * num_classes)`.
    """
    if border == "symmetric":
        return (0.5, 0.5), (0.5, 0.5)
    _, height, width, classes = tf.unstack(tf.shape(maps))
    rows = _arms_of_line(height - 2 * radius, radius - 1, border)
    columns = _arms_of_line(width - 2 * radius, radius - 1, border)
    return (
        [tf.repeat(arm, classes) for arm in columns],
        [arm[:, None] for arm in rows],
    )


def _arms_of_line(size, radius, border):
    pixel, is_reversed = _reflection(size, radius)
    is_first, is_last = pixel == 0, pixel == size - 1
    if border == "one_sided":
        arm = tf.where(is_first | is_last, 1.0, 0.5)
        return arm, arm
    before, after = (tf.where(end, 0.0, 0.5) for end in (is_first, is_last))
    return (
        tf.where(is_reversed, after, before),
        tf.where(is_reversed, before, after),
    )


def _window(start, length, step=1):
    """The pixels from `start`, less `length` in all; `step` numbers each."""
    return slice(step * start, step * (start - length) or None)


def _flat(maps):
    """A row's pixels and classes in one axis: one long loop for XLA."""
    shape = tf.shape(maps)
    return tf.reshape(maps, [shape[0], shape[1], shape[2] * shape[3]])


def _unflat(rows, like):
    shape, classes = tf.shape(rows), like.shape[-1]
    return tf.reshape(rows, [shape[0], shape[1], -1, classes])

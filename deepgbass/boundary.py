"""Semantic boundaries of class maps (section III.B and Fig. 4), differentiable.

Pure functions, in float32 whatever the network computes in: the boundary
pixels of a step edge lie within 5e-6 of the threshold, less than half
precision can tell apart. Maps are mirrored at the image frame, so that the
frame is no edge.
"""

import numpy as np
import tensorflow as tf

# Bandwidth 9, sum 1: spreads a boundary like a dilation, but smoothly.
TRIANGLE = np.array([1, 2, 3, 4, 5, 4, 3, 2, 1], np.float32) / 25
DERIVATIVE = np.array([-0.5, 0, 0.5], np.float32)

# Keeps the root's gradient finite, and the third pixel beside a step edge,
# whose magnitude would be exactly 0.1, above the threshold of 0.1.
_EPSILON = 1e-6


def gumbel_noise(shape, seed=None):
    """Standard Gumbel noise, -log(-log U).

    Args:
        shape: of the result.
        seed: None, or integers `(2,)`: equal seeds give equal noise.

    Returns:
        float32 tensor of `shape`.
    """
    if seed is None:
        uniform = tf.random.uniform(shape)
    else:
        uniform = tf.random.stateless_uniform(shape, seed)
    return -tf.math.log(1e-10 - tf.math.log(uniform + 1e-10))


def soft_argmax(logits, temperature, noise=None):
    """Gumbel softmax: a differentiable surrogate of the arg-max [10].

    Args:
        logits: float32 `(batch, height, width, num_classes)`.
        temperature: above 0; the lower, the nearer to one-hot.
        noise: None, or Gumbel noise of the logits' shape.

    Returns:
        float32 of the same shape, summing to 1 over the classes.
    """
    if noise is not None:
        logits = logits + noise
    return tf.nn.softmax(logits / temperature)


def gradient_magnitude(maps, normalizer=0.18):
    """Per-class gradient magnitude: xi of eqs. 1 and 2.

    Every channel is smoothed by the triangle filter in both directions, then
    differentiated by [-0.5, 0, 0.5].

    Args:
        maps: float32 `(batch, height, width, num_classes)`, values 0..1;
            height and width at least 5.
        normalizer: divisor; 0.18 is the peak beside a straight unit step,
            1 the letter of the paper.

    Returns:
        float32 of the same shape, from 0.001 / normalizer to about
        0.189 / normalizer.
    """
    # Only the height is ever filtered, and the map transposed in between:
    # see `_correlate_height`.
    smooth = _smooth_height(_transpose(_smooth_height(maps)))
    across = _transpose(_differentiate_height(smooth))
    down = _differentiate_height(_transpose(smooth))
    squares = tf.square(across) + tf.square(down)
    return tf.sqrt(squares + _EPSILON) / normalizer


def boundary_mask(magnitude, threshold):
    """Where the magnitude exceeds the threshold: M of eqs. 1 and 2.

    Returns:
        float32 of 0 and 1; no gradient flows through it.
    """
    return tf.cast(magnitude > threshold, tf.float32)


@tf.custom_gradient
def _smooth_height(maps):
    # Mirroring makes a symmetric kernel a symmetric matrix: its own adjoint.
    return _correlate_height(
        maps, TRIANGLE
    ), lambda upstream: _correlate_height(upstream, TRIANGLE)


@tf.custom_gradient
def _differentiate_height(maps):
    # That of an antisymmetric kernel is reversed, and mirrors with a minus.
    return _correlate_height(
        maps, DERIVATIVE
    ), lambda upstream: _correlate_height(
        upstream, DERIVATIVE[::-1], mirror_sign=-1.0
    )


def _correlate_height(maps, kernel, mirror_sign=1.0):
    """Cross-correlates all channels along the height.

    A row's pixels and classes are taken as the channels of one long depthwise
    convolution, which a CPU computes 4 times as fast as a few classes at a
    time, and the adjoints above are faster than TensorFlow's own: together
    they halve the time of the loss.

    Args:
        mirror_sign: factor of the mirror image beyond the frame.
    """
    radius = len(kernel) // 2
    shape = tf.shape(maps)
    row = shape[2] * shape[3]
    rows = tf.reshape(maps, [shape[0], shape[1], 1, row])
    before = mirror_sign * tf.reverse(rows[:, :radius], [1])
    after = mirror_sign * tf.reverse(rows[:, -radius:], [1])
    taps = tf.reshape(tf.constant(kernel), [-1, 1, 1, 1])
    result = tf.nn.depthwise_conv2d(
        tf.concat([before, rows, after], axis=1),
        tf.tile(taps, [1, 1, row, 1]),
        strides=[1, 1, 1, 1],
        padding="VALID",
    )
    return tf.ensure_shape(tf.reshape(result, shape), maps.shape)


def _transpose(maps):
    return tf.transpose(maps, [0, 2, 1, 3])

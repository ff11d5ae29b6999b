"""Random numbers that depend on a seed and an image's place, nothing else.

So an image's noise is the same whether its batch is computed at once, in
micro-batches, or on several devices.
"""

import tensorflow as tf

# Philox makes four 32-bit words at a step of its counter: eight numbers.
_WORDS, _NUMBERS = 4, 8


def random_bits(shape, seed=None):
    """Uniform 16-bit numbers, 0..65535; the first axis counts images.

    Args:
        shape: `(batch, ...)` of the result.
        seed: None, or integers `(2,)`: equal seeds give equal numbers. A
            third integer is the place of the first image in a larger batch:
            the numbers are those that the images have there.

    Returns:
        uint16 tensor of `shape`.
    """
    shape = tf.convert_to_tensor(shape, tf.int32)
    count = tf.reduce_prod(shape[1:])
    blocks = (count + _NUMBERS - 1) // _NUMBERS
    words = tf.stack([shape[0], blocks * _WORDS])
    if seed is None:
        limits = tf.int32.min, tf.int32.max
        bits = tf.random.uniform(words, *limits, tf.int32)
    else:
        bits = _seeded(words, tf.cast(seed, tf.int64), blocks)
    halves = tf.reshape(tf.bitcast(bits, tf.uint16), [shape[0], -1])
    return tf.reshape(halves[:, :count], shape)


def _seeded(shape, seed, blocks):
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed[:2])
    if seed.shape[0] == 3:
        offset = seed[2] * tf.cast(blocks, tf.int64)
        counter += tf.bitcast(tf.stack([offset, 0]), tf.uint64)
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape,
        key=key,
        counter=counter,
        alg=tf.random.Algorithm.PHILOX.value,
        dtype=tf.int32,
    )

"""XLA compilation of pure functions of tensors, and their gradients."""

import functools

import tensorflow as tf


def compiled(function):
    """Decorator: compiles a function by XLA, once for every shape.

    Arguments that are not tensors are constants of the program.
    """
    return tf.function(function, jit_compile=True, autograph=False)


def recomputed(function):
    """Decorator: as `compiled`, keeping only the inputs for the gradient.

    The gradient, compiled too, computes what it needs of `function` again:
    within a loop that is cheaper than to store and load it. It is that of
    the first argument; the others are constants to it.

    Args:
        function: of tensors and keyword constants, to a tuple of tensors.
    """

    def slope(inputs, upstream, **constants):
        with tf.GradientTape() as tape:
            tape.watch(inputs[0])
            outputs = function(*inputs, **constants)
        return tape.gradient(outputs, inputs[0], output_gradients=upstream)

    value, slope = compiled(function), compiled(slope)

    @functools.wraps(function)
    def call(first, *others, **constants):
        @tf.custom_gradient
        def differentiable(first):
            def gradient(*upstream):
                return slope((first, *others), upstream, **constants)

            return value(first, *others, **constants), gradient

        return differentiable(first)

    return call

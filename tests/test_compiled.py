import numpy as np
import pytest
import tensorflow as tf

from deepgbass.compiled import recomputed


@recomputed
def product(x, y, *, power):
    return x**power * y, tf.reduce_sum(y)


@pytest.mark.parametrize("as_graph", [False, True])
def test_value_and_gradient_of_the_first_argument(as_graph):
    def value_and_gradient(x, y):
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            outputs = product(x, y, power=3)
            loss = 2 * tf.reduce_sum(outputs[0])
        return *outputs, *tape.gradient(loss, [x, y])

    call = tf.function(value_and_gradient) if as_graph else value_and_gradient
    x, y = tf.constant([1.0, 2.0]), tf.constant([3.0, 5.0])
    product_, total, slope, none = call(x, y)
    np.testing.assert_allclose(product_, [3, 40])
    assert total == 8
    np.testing.assert_allclose(slope, [18, 120])
    assert none is None

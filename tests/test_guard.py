"""From the first step on that is not finite, nothing is updated."""

import numpy as np
import tensorflow as tf
from small_network import small_batch

from deepgbass.keras_api import keras
from deepgbass.losses import IgnoreCrossentropy
from deepgbass.training.guard import Guard


def test_nothing_is_applied_from_the_first_broken_step_on():
    guard, value = Guard(), tf.Variable(0.0)

    @tf.function
    def step(x):
        guard.apply(tf.math.is_finite(x), lambda: value.assign_add(x))

    for x in (1.0, 2.0):
        step(x)
    assert guard.sound and value == 3
    for x in (np.nan, 4.0):
        step(tf.constant(x))
    assert not guard.sound and value == 3


def test_an_exploding_learning_rate_leaves_the_weights_it_broke_with():
    images, labels = small_batch()
    model = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, padding="same"),
            keras.layers.Conv2D(3, 1),
        ]
    )
    model.build(images.shape)
    loss, guard = IgnoreCrossentropy(), Guard()
    optimizer = keras.optimizers.SGD(1e25)
    optimizer.build(model.trainable_variables)
    steps = tf.Variable(0)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            value = loss(labels, model(tf.cast(images, tf.float32)))
        found = tape.gradient(value, model.trainable_variables)
        finite = tf.math.is_finite(value + tf.linalg.global_norm(found))
        return found, finite

    @tf.function
    def step():
        found, finite = gradients()

        def update():
            optimizer.apply_gradients(
                zip(found, model.trainable_variables, strict=True)
            )
            steps.assign_add(1)

        guard.apply(finite, update)

    history = []
    for _ in range(6):
        history.append(model.get_weights())
        step()
    assert not guard.sound
    broken = int(steps)
    assert 0 < broken < 5
    for weight, before in zip(model.weights, history[broken], strict=True):
        assert np.isfinite(before).all()
        np.testing.assert_array_equal(weight.numpy(), before)
    # They are those that broke: their step is not finite again.
    assert not gradients()[1]

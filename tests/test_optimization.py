"""Schedule, optimiser and weight decay."""

import numpy as np
import pytest
import tensorflow as tf

from deepgbass.configs import TrainConfig
from deepgbass.keras_api import keras
from deepgbass.training.optimization import (
    WarmupPolynomial,
    decayed_kernels,
    make_optimizer,
    weight_penalty,
)


def test_warmup_is_linear_and_decay_polynomial():
    schedule = WarmupPolynomial(0.1, steps=110, warmup_steps=10, power=0.9)
    rates = np.array([float(schedule(step)) for step in range(111)])
    np.testing.assert_allclose(rates[:10], 0.01 * np.arange(1, 11), rtol=1e-6)
    progress = np.arange(101) / 100
    np.testing.assert_allclose(
        rates[10:], 0.1 * (1 - progress) ** 0.9, rtol=1e-4, atol=1e-8
    )
    assert rates[110] == 0.0


def test_no_warmup_begins_at_the_base_rate():
    assert float(WarmupPolynomial(0.1, steps=10)(0)) == pytest.approx(0.1)


def test_schedule_survives_serialisation():
    schedule = WarmupPolynomial(0.1, 100, 10, 0.5)
    copy = WarmupPolynomial.from_config(schedule.get_config())
    assert float(copy(50)) == float(schedule(50))


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_optimizer_is_the_one_named(name):
    config = TrainConfig(optimizer=name, steps=10, warmup_steps=0)
    assert make_optimizer(config).name.lower() == name


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_a_factor_scales_the_steps_of_a_variable_alone(name):
    config = TrainConfig(optimizer=name, steps=10, warmup_steps=0)
    moved = {}
    for factor in (1.0, 0.25):
        pair = [tf.Variable([1.0, 2.0]), tf.Variable([3.0])]
        optimizer = make_optimizer(config, [(pair[0], factor)])
        for slope in (0.5, -0.2):
            slopes = [tf.constant([slope, 1.0]), tf.constant([slope])]
            optimizer.apply_gradients(zip(slopes, pair, strict=True))
        moved[factor] = pair[0].numpy() - [1, 2], pair[1].numpy()
        rate = WarmupPolynomial(config.learning_rate, 10)(1)
        assert float(optimizer.learning_rate) == pytest.approx(float(rate))
    np.testing.assert_allclose(moved[0.25][0], 0.25 * moved[1.0][0], rtol=1e-3)
    np.testing.assert_array_equal(moved[0.25][1], moved[1.0][1])


def test_factors_are_no_part_of_a_checkpoint(tmp_path):
    config = TrainConfig(steps=10, warmup_steps=0)
    variable = tf.Variable([1.0])
    checkpoints = []
    for factors in ([(variable, 0.5)], []):
        optimizer = make_optimizer(config, factors)
        optimizer.build([variable])
        checkpoints.append(tf.train.Checkpoint(optimizer=optimizer))
    path = checkpoints[0].write(str(tmp_path / "one"))
    checkpoints[1].read(path).assert_consumed()


def test_weight_decay_is_half_the_squared_norm_of_convolutions_alone():
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8, 2)),
            keras.layers.Conv2D(3, 3, bias_initializer="ones"),
            keras.layers.DepthwiseConv2D(3),
            keras.layers.BatchNormalization(),
        ]
    )
    kernels = decayed_kernels(model)
    assert len(kernels) == 1 and kernels[0] is model.layers[0].kernel
    expected = 4e-6 * np.sum(np.square(kernels[0].numpy())) / 2
    assert float(weight_penalty(kernels, 4e-6)) == pytest.approx(expected)
    # What is frozen is not decayed.
    model.layers[0].trainable = False
    assert weight_penalty(decayed_kernels(model), 4e-6) == 0

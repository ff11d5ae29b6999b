"""Schedule, optimiser and weight decay."""

import numpy as np
import pytest

from deepgbass.configs import TrainConfig
from deepgbass.keras_api import keras
from deepgbass.optimization import (
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

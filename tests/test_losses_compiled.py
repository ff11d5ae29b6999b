"""Compiled losses equal the plain ones; the other tests compile nothing."""

import numpy as np
import pytest
import tensorflow as tf
from sbal_reference import (
    CONFIGURATIONS,
    GSCNN,
    close_gradient,
    scene,
    value_and_gradient,
)

from deepgbass.losses import SBALoss


@pytest.mark.parametrize(
    "options",
    [
        {"stop_weights": False, "reading": "classwise_max"},
        pytest.param(
            CONFIGURATIONS["onesided"] | {"normalization": "image_max"},
            marks=pytest.mark.slow,
        ),
        pytest.param(GSCNN | {"reading": "noisy_or"}, marks=pytest.mark.slow),
    ],
    ids=["symmetric", "one-sided", "gscnn"],
)
def test_compiling_changes_nothing(options):
    labels, logits = scene()
    loss = SBALoss(**options)
    compiled = value_and_gradient(loss, labels, logits)
    tf.config.run_functions_eagerly(True)
    try:
        plain = value_and_gradient(loss, labels, logits)
    finally:
        tf.config.run_functions_eagerly(False)
    assert compiled[0] == pytest.approx(plain[0], rel=1e-5)
    close_gradient(*(gradient for _, gradient in (compiled, plain)))


@pytest.mark.slow
def test_sizes_may_be_unknown_while_tracing():
    labels, logits = scene()
    loss = SBALoss()

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None], tf.int32),
            tf.TensorSpec([None, None, None, 3]),
        ]
    )
    def traced(labels, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits, seed=(1, 2))
        return value, tape.gradient(value, logits)

    value, gradient = value_and_gradient(loss, labels, logits[:, ::2, ::2])
    got = traced(labels, logits[:, ::2, ::2])
    np.testing.assert_allclose(got[0], value, rtol=1e-6)
    close_gradient(got[1].numpy(), gradient)


@pytest.mark.slow
def test_xla_may_compile_the_whole_step():
    labels, logits = map(tf.constant, scene((1, 6, 8, 3)))
    loss = SBALoss(noise=False)

    @tf.function(jit_compile=True, autograph=False)
    def traced(labels, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits)
        return value, tape.gradient(value, logits)

    got = traced(labels, logits)
    value, gradient = value_and_gradient(loss, labels, logits)
    np.testing.assert_allclose(got[0], value, rtol=1e-5)
    close_gradient(got[1].numpy(), gradient)

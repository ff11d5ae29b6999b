import numpy as np
import pytest
import tensorflow as tf
from sbal_reference import CASES, READINGS, load_case, uncompiled

from deepgbass.configs import LOSS_CHOICES
from deepgbass.losses import boundary_errors
from deepgbass.losses.boundary_errors import (
    boundary_weights,
    semantic_boundary_terms,
)

pytestmark = pytest.mark.usefixtures(uncompiled.__name__)


def volumes(seed=0, shape=(2, 6, 7, 3)):
    rng = np.random.default_rng(seed)
    pair = 0.3 * rng.random((2, *shape)).astype(np.float32)
    return tf.constant(pair[0]), tf.constant(pair[1])


def test_every_reading_has_a_fixture():
    assert set(LOSS_CHOICES["reading"]) == set(READINGS)


@pytest.mark.parametrize("case", CASES)
def test_fixtures_sums_and_weights(shared, case):
    data, configurations = load_case(shared, case)
    for name in configurations:
        xi, xi_hat, keep = (
            tf.constant(data[f"{name}__{item}"], tf.float32)
            for item in ("xi", "xi_hat", "keep")
        )
        for reading in READINGS:
            sums, weights = boundary_errors.boundary_errors(
                xi, xi_hat, keep, 0.1, reading, constant=True
            )
            np.testing.assert_allclose(
                weights, data[f"{name}__w_{reading}"], atol=1e-6
            )
        errors = sums.numpy().sum(axis=1)
        for i, item in enumerate(("L1", "L2")):
            assert errors[i] / (errors[i + 2] + 1e-10) == pytest.approx(
                data[f"{name}__{item}"], rel=1e-5
            )
        for per_image, item in ((False, "SBL"), (True, "SBL_perimage")):
            value = semantic_boundary_terms(sums, per_image).numpy().mean()
            assert value == pytest.approx(data[f"{name}__{item}"], rel=1e-5)


@pytest.mark.parametrize("reading", READINGS)
def test_equal_boundaries_have_no_weight(reading):
    xi, _ = volumes()
    assert not boundary_weights(xi, xi, 0.1, reading).numpy().any()


@pytest.mark.parametrize("reading", READINGS)
def test_below_the_threshold_there_is_no_weight(reading):
    assert not boundary_weights(*volumes(), 0.4, reading).numpy().any()
    assert boundary_weights(*volumes(), 0.1, reading).numpy().any()


@pytest.mark.parametrize("reading", READINGS)
def test_prediction_and_truth_are_treated_alike(reading):
    xi, xi_hat = volumes()
    np.testing.assert_array_equal(
        boundary_weights(xi, xi_hat, 0.1, reading),
        boundary_weights(xi_hat, xi, 0.1, reading),
    )


@pytest.mark.parametrize("reading", READINGS)
def test_only_classwise_max_sees_a_boundary_of_the_wrong_class(reading):
    xi, _ = volumes()
    weights = boundary_weights(xi, xi[..., ::-1], 0.1, reading).numpy()
    if reading == "classwise_max":
        assert weights.max() > 0.1
    else:
        assert weights.max() < 1e-6


def test_binary_weights_are_half_of_an_exclusive_or():
    xi, xi_hat = volumes()
    weights = boundary_weights(xi, xi_hat, 0.25, "binary").numpy()
    marks = [(x.numpy() > 0.25).any(-1) for x in (xi, xi_hat)]
    np.testing.assert_array_equal(weights, 0.5 * (marks[0] ^ marks[1]))


@pytest.mark.parametrize("constant", [True, False])
def test_weights_pass_a_gradient_only_if_asked(constant):
    xi, xi_hat = volumes()
    keep = tf.ones(xi.shape[:3])
    with tf.GradientTape() as tape:
        tape.watch(xi)
        _, weights = boundary_errors.boundary_errors(
            xi, xi_hat, keep, 0.1, "max", constant
        )
    gradient = tape.gradient(weights, xi)
    assert (gradient is None) == constant
    if not constant:
        rising = xi.numpy().max(-1) > xi_hat.numpy().max(-1)
        assert (gradient.numpy().max(-1) > 0)[rising].all()
        # One class alone is the maximum.
        assert ((gradient.numpy() != 0).sum(-1) == 1).mean() > 0.9


def test_ratios_of_empty_masks_are_zero():
    sums = tf.constant([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0], [6.0, 0.0]])
    assert semantic_boundary_terms(sums).numpy().mean() == pytest.approx(0.25)
    per_image = semantic_boundary_terms(sums, per_image=True).numpy().mean()
    assert per_image == pytest.approx(0.125)

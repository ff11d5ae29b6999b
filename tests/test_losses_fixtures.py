"""SBALoss and its kin equal the float64 fixtures in every configuration."""

import numpy as np
import pytest
import tensorflow as tf
from sbal_reference import (
    CASES,
    GSCNN,
    READINGS,
    close_gradient,
    load_case,
    uncompiled,
)
from scipy.special import softmax

from deepgbass.losses import (
    BoundaryWeightedCrossentropy,
    IgnoreCrossentropy,
    SBALoss,
    SemanticBoundaryLoss,
)

# test_losses_compiled.py compares with compiled ones.
pytestmark = pytest.mark.usefixtures(uncompiled.__name__)

# Two classes share each maximum: rounding decides which has the gradient.
SHARED_MAXIMA = ("false_boundary_only",)


def close(got, expected):
    assert float(got) == pytest.approx(float(expected), rel=1e-5, abs=1e-7)


def parts_and_gradients(loss, data, *names):
    """Parts of the loss of a fixture, and gradients of those named."""
    x = tf.constant(data["logits"], tf.float32)
    noise = data["gumbel"].astype(np.float32) if loss.noise else None
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        parts = loss.components(data["labels"], x, noise=noise)
    return parts, [tape.gradient(parts[name], x).numpy() for name in names]


@pytest.mark.parametrize("case", CASES)
def test_fixtures_maps(shared, case):
    data, configurations = load_case(shared, case)
    for name, options in configurations.items():
        loss = SBALoss(**options)
        noise = data["gumbel"].astype(np.float32) if loss.noise else None
        logits = data["logits"].astype(np.float32)
        maps = loss.maps(data["labels"], logits, noise=noise)
        # 2e-6 on the scale of the letter of the paper.
        exact = data[f"{name}__xi_hat"]
        tolerance = 2e-6 / loss.normalizer
        if loss.normalization == "image_max":
            tolerance /= data["lit__xi"].max()
        np.testing.assert_allclose(maps["true"], exact, rtol=0, atol=tolerance)
        np.testing.assert_allclose(
            maps["predicted"], data[f"{name}__xi"], rtol=0, atol=tolerance
        )
        for mask, item in (("predicted_mask", "M"), ("true_mask", "M_hat")):
            np.testing.assert_array_equal(maps[mask], data[f"{name}__{item}"])
        np.testing.assert_allclose(
            maps["weights"], data[f"{name}__w_max"], rtol=0, atol=2 * tolerance
        )


@pytest.mark.parametrize("case", CASES)
def test_fixtures_values_and_gradients(shared, case):
    data, configurations = load_case(shared, case)
    for name, options in configurations.items():

        def expect(item, name=name):
            return data[f"{name}__{item}"]

        loss = SBALoss(reduction="sum", **options)
        parts, gradients = parts_and_gradients(loss, data, "sbl", "wce")
        close(parts["sbl"], expect("SBL"))
        close_gradient(gradients[0], expect("grad_SBL"))
        close(parts["wce"], expect("WCE_max_sum"))
        close_gradient(gradients[1], expect("grad_WCE_max_sum"))
        close(parts["total"], expect("TOTAL_literal_l1_1_l2_1"))
        valid = max((data["labels"] != 255).sum(), 1)
        close(parts["mean_weight"], expect("w_max").sum() / valid)

        loss = SBALoss(
            per_image=True, reduction="mean", stop_weights=False, **options
        )
        parts, gradients = parts_and_gradients(loss, data, "sbl", "wce")
        close(parts["sbl"], expect("SBL_perimage"))
        close_gradient(gradients[0], expect("grad_SBL_perimage"))
        close(parts["wce"], expect("WCE_max_mean"))
        if case not in SHARED_MAXIMA:
            count = max(expect("keep").sum(), 1)
            slope = expect("grad_WCE_max_sum_nostop")
            close_gradient(count * gradients[1], slope)


@pytest.mark.parametrize("case", CASES)
def test_fixtures_divided_by_the_weights(shared, case):
    data, configurations = load_case(shared, case)
    loss = SBALoss(**configurations["lit"])
    parts, _ = parts_and_gradients(loss, data)
    close(parts["wce"], data["lit__WCE_max_wmean"])


@pytest.mark.parametrize("reading", READINGS)
def test_fixtures_readings(shared, reading):
    data, configurations = load_case(shared, "c3")
    truth = np.arange(3) == data["labels"][..., None]
    slope = softmax(data["logits"], axis=-1) - truth
    for name in ("const_n1", "dilated"):
        loss = BoundaryWeightedCrossentropy(
            reading=reading, reduction="sum", **configurations[name]
        )
        parts, (gradient,) = parts_and_gradients(loss, data, "total")
        close(parts["total"], data[f"{name}__WCE_{reading}_sum"])
        weights = data[f"{name}__w_{reading}"][..., None]
        close_gradient(gradient, weights * slope)


@pytest.mark.parametrize("case", CASES)
def test_fixtures_with_plain_crossentropy_in_the_total(shared, case):
    data, configurations = load_case(shared, case)
    loss = SBALoss(ce_weight=1.0, reduction="mean", **configurations["lit"])
    parts, (gradient,) = parts_and_gradients(loss, data, "total")
    close(parts["total"], data["lit__TOTAL_one_plus_w_mean"])
    close_gradient(gradient, data["lit__grad_TOTAL_one_plus_w_mean"])


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("threshold", [1e-8, 0.1])
@pytest.mark.parametrize("case", ["c3", "min_size_5x5"])
def test_gscnn_as_intended_is_a_configuration(shared, case, threshold, noise):
    data, _ = load_case(shared, case)
    name = f"GSCNN_intended_n{int(noise)}_th{threshold:g}"
    loss = SemanticBoundaryLoss(noise=noise, threshold=threshold, **GSCNN)
    parts, (gradient,) = parts_and_gradients(loss, data, "total")
    close(parts["total"], data[f"{name}__loss"])
    close_gradient(gradient, data[f"{name}__grad"])


@pytest.mark.parametrize("case", CASES)
def test_fixtures_crossentropy(shared, case):
    data, _ = load_case(shared, case)
    x = tf.constant(data["logits"], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = IgnoreCrossentropy()(data["labels"], x)
    close(value, data["CE_mean"])
    close_gradient(tape.gradient(value, x).numpy(), data["grad_CE_mean"])

import numpy as np
import pytest
import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.layers.guided_filter import (
    apply_coefficients,
    closed_coefficients,
    closed_slope,
    fast_guided_filter,
    guided_filter,
    local_moments,
)

# Of the largest value. The worst case, eps 1e-8 and 3x3 windows, needs 8e-6.
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)
cases = pytest.mark.parametrize("case", ["gf_same", "gf_gray"])


@pytest.fixture(scope="module")
def classic(shared):
    return np.load(shared / "fixtures/guided_filter/gf_guided.npz")


@pytest.fixture(scope="module")
def fast(shared):
    return np.load(shared / "fixtures/guided_filter/gf_fast.npz")


def agree(actual, expected, dtype):
    scale = np.abs(expected).max()
    assert actual.dtype == dtype
    np.testing.assert_allclose(
        actual, expected, rtol=0, atol=TOLERANCE[dtype] * scale
    )


def tensors(data, names, dtype):
    return [tf.constant(data[name], dtype) for name in names]


def gradients(function, inputs, weights):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(function(*inputs) * weights)
    return tape.gradient(total, inputs)


@dtypes
@cases
def test_outputs_of_the_guided_filter(classic, case, dtype):
    f, g = tensors(classic, (f"{case}__input", f"{case}__guide"), dtype)
    for radius in (1, 2, 4, 8):
        for eps in ("1e-08", "0.0001", "0.01"):
            y = guided_filter(f, g, radius, float(eps))
            agree(y, classic[f"{case}__r{radius}_eps{eps}__out"], dtype)


@dtypes
@cases
def test_intermediates_of_the_guided_filter(classic, case, dtype):
    f, g = tensors(classic, (f"{case}__input", f"{case}__guide"), dtype)
    moments = local_moments(f, g, 2)
    a, b = closed_coefficients(f, g, 2, 1e-2)
    found = {
        "mean_guide": moments.guide_mean,
        "mean_input": moments.feature_mean,
        "cov": moments.covariance,
        "var": moments.variance,
        "A": a,
        "b": b,
    }
    for name, value in found.items():
        agree(value, classic[f"{case}__mid_r2_eps0.01__{name}"], dtype)


@dtypes
@cases
def test_flat_guide_averages_twice(classic, case, dtype):
    f, g = tensors(classic, (f"{case}__input", f"{case}__guide"), dtype)
    y = guided_filter(f, tf.fill(g.shape, tf.constant(0.37, dtype)), 2, 1e-2)
    agree(y, classic[f"{case}__const_guide_r2_eps0.01__out"], dtype)


@dtypes
@cases
@pytest.mark.parametrize("radius", [1, 4])
def test_gradients_of_the_guided_filter(classic, case, radius, dtype):
    f, g, weights = tensors(
        classic, [f"{case}__{name}" for name in ("input", "guide", "R")], dtype
    )
    df, dg = gradients(
        lambda f, g: guided_filter(f, g, radius, 1e-2), [f, g], weights
    )
    agree(df, classic[f"{case}__r{radius}_eps0.01__dinput"], dtype)
    agree(dg, classic[f"{case}__r{radius}_eps0.01__dguide"], dtype)


@dtypes
@pytest.mark.parametrize("radius", [1, 2, 4])
def test_outputs_of_the_fast_filter(fast, radius, dtype):
    inputs = tensors(fast, ("lr_input", "lr_guide", "hr_guide"), dtype)
    for eps in ("1e-08", "0.01"):
        y = fast_guided_filter(*inputs, radius, float(eps))
        agree(y, fast[f"r{radius}_eps{eps}__out_align_corners"], dtype)
    y = fast_guided_filter(*inputs, radius, 1e-2, align_corners=False)
    agree(y, fast[f"r{radius}_eps0.01__out_half_pixel"], dtype)


@dtypes
def test_gradients_of_the_fast_filter(fast, dtype):
    names = "lr_input", "lr_guide", "hr_guide"
    found = gradients(
        lambda *x: fast_guided_filter(*x, 1, 1e-2),
        tensors(fast, names, dtype),
        tf.constant(fast["R"], dtype),
    )
    for name, value in zip(names, found, strict=True):
        agree(value, fast[f"r1_eps0.01__d{name}"], dtype)


@dtypes
def test_fast_filter_at_one_size_is_the_filter_without_averaging(
    classic, dtype
):
    f, g = tensors(classic, ("gf_same__input", "gf_same__guide"), dtype)
    for radius in (1, 2, 4):
        y = fast_guided_filter(f, g, g, radius, 1e-2)
        agree(y, classic[f"gf_same__noavg_r{radius}_eps0.01__out"], dtype)


def test_feature_that_is_linear_in_the_guide_passes_unchanged():
    g = np.random.default_rng(0).normal(size=(1, 9, 7, 1))
    f = g * [2.0, -1.0] + [3.0, 0.5]
    np.testing.assert_allclose(guided_filter(f, g, 2, 1e-12), f, atol=1e-9)


def test_float32_needs_an_eps_above_its_rounding_error():
    r = np.random.default_rng(0)
    f = r.random((1, 40, 60, 2))
    g = np.float32(3 + 0.01 * r.random(f.shape))

    def error(eps):
        exact = guided_filter(f, np.float64(g), 1, eps).numpy()
        rounded = guided_filter(np.float32(f), g, 1, eps).numpy()
        return np.abs(rounded - exact).max()

    assert error(1e-8) > 0.1
    assert error(1e-4) < 2e-3
    assert error(1e-2) < 1e-6


def test_variance_that_rounding_made_negative_does_no_harm():
    covariance, variance = tf.constant([0.0, 0.5]), tf.constant([-1e-4, -2e-4])
    np.testing.assert_allclose(
        closed_slope(covariance, variance, 1e-4), [0, 5e3], rtol=1e-6
    )


@pytest.mark.parametrize("eps", [0, -1e-2, np.nan, np.inf, "1e-2"])
def test_eps_must_be_above_zero(eps):
    x = tf.zeros([1, 5, 5, 2])
    for function in guided_filter, closed_coefficients:
        with pytest.raises(UserError, match="^eps: "):
            function(x, x, 1, eps)
    with pytest.raises(UserError, match="^eps: "):
        fast_guided_filter(x, x, x, 1, eps)


@pytest.mark.parametrize(
    "guide", [(1, 5, 5, 2), (1, 5, 6, 3), (2, 5, 5, 3), (5, 5, 3)]
)
def test_guide_of_another_shape_is_refused(guide):
    with pytest.raises(UserError, match="feature .* guide .* need"):
        guided_filter(tf.zeros([1, 5, 5, 3]), tf.zeros(guide), 1, 1e-2)


def test_fine_guide_of_other_channels_is_refused():
    x = tf.zeros([1, 5, 5, 3])
    with pytest.raises(UserError, match="feature .* guide .* need"):
        apply_coefficients(x, x, tf.zeros([1, 9, 9, 2]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint8"])
def test_too_few_bits_are_refused(dtype):
    x = tf.zeros([1, 5, 5, 3], dtype)
    with pytest.raises(UserError, match="cast both"):
        local_moments(x, x, 1)


def test_unknown_size_is_refused():
    unknown = tf.function(
        lambda x: guided_filter(x, x, 1, 1e-2), autograph=False
    )
    with pytest.raises(UserError, match="static"):
        unknown.get_concrete_function(tf.TensorSpec([1, None, 5, 1]))

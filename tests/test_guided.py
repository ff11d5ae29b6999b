import numpy as np
import pytest
import tensorflow as tf

from deepgbass.decoders.guided import DeepGuidedDecoder
from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.guided import BoxMean, DeepGuidedBlock, box_filter
from deepgbass.layers.resize import Resize


def box_mean(x, radius):
    """Float64 mean over a window clipped at the frame, pixel by pixel."""
    y = np.empty_like(x)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            rows = slice(max(i - radius, 0), i + radius + 1)
            columns = slice(max(j - radius, 0), j + radius + 1)
            y[:, i, j] = x[:, rows, columns].mean((1, 2))
    return y


def guided(block, f, g, radius):
    """The block's equations in float64, with the block's own weights."""
    mean_f, mean_g = box_mean(f, radius), box_mean(g, radius)
    df, dg = f - mean_f, g - mean_g
    x = [box_mean(dg * df, radius), box_mean(dg * dg, radius)]
    x = np.concatenate(x, -1)
    for conv in block.hidden:
        (kernel,) = conv.conv.get_weights()
        gamma, beta, mean, variance = conv.norm.get_weights()
        x = (x @ kernel[0, 0] - mean) / np.sqrt(variance + 1e-5)
        x = np.maximum(x * gamma + beta, 0)
    a = x @ block.coefficient.get_weights()[0][0, 0]
    return a * g + (mean_f - a * mean_g)


def randomize(module, seed=0):
    r = np.random.default_rng(seed)
    for v in module.variables:
        if "variance" in v.name or "gamma" in v.name:
            v.assign(r.uniform(0.5, 1.5, v.shape))
        else:
            v.assign(r.normal(0, 0.3, v.shape))


def pair(shape=(2, 9, 12, 6), seed=0):
    r = np.random.default_rng(seed)
    return r.normal(1, 2, shape), r.normal(-1, 1, shape)


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_box_filter_is_the_reference_box(shared, radius):
    data = np.load(shared / "fixtures/guided_filter/gf_guided.npz")
    np.testing.assert_allclose(
        box_filter(tf.constant(data["box__x"]), radius),
        data[f"box__r{radius}"],
        atol=1e-12,
    )


def test_box_mean_of_a_constant_is_that_constant_up_to_the_frame():
    # The last window is wider than the image.
    for radius in (1, 2, 9):
        mean = BoxMean(radius, "mean")(tf.fill([1, 5, 7, 2], 3.0))
        np.testing.assert_allclose(mean, 3, rtol=1e-6)


@pytest.mark.parametrize("radius", [1, 2])
def test_block_obeys_its_equations_inside_and_at_the_frame(radius):
    f, g = pair()
    block = DeepGuidedBlock(6, hidden_channels=5, radius=radius)
    as32 = tf.constant(f, tf.float32), tf.constant(g, tf.float32)
    block(*as32)
    randomize(block)
    expected = guided(block, f, g, radius)
    np.testing.assert_allclose(
        block(*as32), expected, atol=1e-5 * np.abs(expected).max()
    )
    assert np.abs(expected - box_mean(f, radius)).max() > 0.1


def test_block_ignores_the_level_of_the_guide():
    f, g = (tf.constant(x, tf.float32) for x in pair())
    block = DeepGuidedBlock(6)
    block(f, g)
    randomize(block)
    np.testing.assert_allclose(block(f, g + 5), block(f, g), atol=1e-3)


def test_block_with_a_flat_guide_smooths():
    f, g = pair()
    block = DeepGuidedBlock(6)
    y = block(tf.constant(f, tf.float32), tf.zeros(g.shape))
    np.testing.assert_allclose(y, box_mean(f, 1), atol=1e-5)


def test_block_adds_only_flat_layers_and_no_trainable_box():
    f, g = keras.Input((9, 12, 6)), keras.Input((9, 12, 6))
    model = keras.Model([f, g], DeepGuidedBlock(6, name="b")(f, g))
    assert not any(isinstance(x, keras.Model) for x in model.layers)
    own = {x.name for x in model.layers if not x.__module__.startswith("tf_k")}
    means = "guide_mean", "feature_mean", "variance", "covariance"
    assert own == {f"b_{m}{s}" for m in means for s in ("", "_sum")}
    assert not any(
        v.shape[0] == 3 for v in model.variables if v.shape.rank == 4
    )


class Refiner(keras.Model):
    """A subclassed model, as someone outside the package writes it."""

    def __init__(self):
        super().__init__()
        self.decoder = DeepGuidedDecoder(6, hidden_channels=8)

    def call(self, inputs):
        return self.decoder(*inputs)


def test_decoder_trains_and_saves_inside_a_subclassed_model(tmp_path):
    f, g = (tf.constant(x, tf.float32) for x in pair())
    inputs = f[:, ::4, ::4], g
    model, other = Refiner(), Refiner()
    assert model(inputs).shape == other(inputs).shape == (2, 9, 12, 6)
    # 2 + 2 projections, 2 + 1 coefficients, 4 separable: kernel, gamma, beta.
    assert len(model.trainable_variables) == 8 * 3 + 1
    moving = model.decoder.reduce.norm.moving_mean
    before = moving.numpy()
    model.compile("sgd", "mse")
    model.train_on_batch(inputs, np.ones((2, 9, 12, 6)))
    assert np.abs(moving - before).max() > 0
    model.save_weights(tmp_path / "x.weights.h5")
    other.load_weights(tmp_path / "x.weights.h5")
    np.testing.assert_array_equal(model(inputs), other(inputs))


def test_eager_training_flag_reaches_batch_norm():
    f, g = (tf.constant(x, tf.float32) for x in pair())
    block = DeepGuidedBlock(6)
    evaluated = block(f, g)
    assert np.abs(block(f, g, training=True) - evaluated).max() > 1e-3


def test_statistics_stay_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        f, g = keras.Input((9, 12, 6)), keras.Input((9, 12, 6))
        y = DeepGuidedBlock(6, name="b")(f, g)
        small = Resize((3, 4))(f)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    model = keras.Model([f, g], y)
    for name in "guide_detail", "square", "variance", "covariance":
        assert model.get_layer(f"b_{name}").output.dtype == tf.float32
    assert y.dtype == small.dtype == tf.bfloat16


@pytest.mark.parametrize(
    ("feature", "guide"),
    [
        ((1, 8, 8, 6), (1, 8, 9, 6)),
        ((1, 8, 8, 6), (1, 8, 8, 1)),
        ((1, 8, 8, 4), (1, 8, 8, 4)),
    ],
)
def test_block_refuses_other_shapes(feature, guide):
    with pytest.raises(UserError, match="feature .* guide .* 6"):
        DeepGuidedBlock(6)(tf.zeros(feature), tf.zeros(guide))


def test_block_and_decoder_refuse_unknown_sizes():
    f = keras.Input((None, None, 6))
    with pytest.raises(UserError, match="static"):
        DeepGuidedBlock(6)(f, f)
    with pytest.raises(UserError, match="static"):
        DeepGuidedDecoder(6)(f, f)


@pytest.mark.parametrize("radius", [0, -1, 1.5])
def test_radius_below_one_is_refused(radius):
    with pytest.raises(UserError, match="^radius: "):
        DeepGuidedDecoder(radius=radius)

import numpy as np
import pytest
import tensorflow as tf

from deepgbass.decoders.guided import DeepGuidedDecoder
from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.guided import FORMS, DeepGuidedBlock
from deepgbass.layers.guided_filter import apply_coefficients
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
    a = np.tanh(x @ block.coefficient.get_weights()[0][0, 0])
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


def test_default_form_keeps_its_layers():
    # Checkpoints by layer name, and exported graphs, rest on these.
    f, g = keras.Input((9, 12, 6)), keras.Input((9, 12, 6))
    model = keras.Model([f, g], DeepGuidedBlock(6, name="b")(f, g))
    boxes = "guide_mean", "feature_mean", "variance", "covariance"
    expected = {f"b_{box}{suffix}" for box in boxes for suffix in ("", "_sum")}
    expected |= {f"b_conv{i}{s}" for i in (0, 1) for s in ("", "_bn", "_relu")}
    expected |= {
        f"b_{name}"
        for name in (
            *("guide_detail", "feature_detail", "square", "product"),
            *("concat", "conv2", "bound", "scale", "add"),
        )
    }
    inputs = {x.name.split(":")[0] for x in model.inputs}
    assert {x.name for x in model.layers} - inputs == expected


def wu(data, case):
    """Wu et al.'s filter as a block, with the fixture's weights."""
    kernels = [data[f"{case}__conv{i}_kernel_HWIO"] for i in range(3)]
    _, _, hidden, channels = kernels[2].shape
    radius = int(case[-1])
    block = DeepGuidedBlock(channels, hidden, radius, form="uncentred")
    block(*tf.zeros([2, 1, 6, 6, channels]))
    for i, conv in enumerate(block.hidden):
        conv.conv.set_weights([kernels[i]])
        norm = data[f"{case}__bn{i}_gamma_beta_mean_var"]
        conv.norm.set_weights(list(norm))
    block.coefficient.set_weights([kernels[2]])
    return block


def upsampled(block, f, g, fine, training=False):
    """The block with A and b interpolated to the size of a finer guide."""
    a, detail, mean_f = block.coefficients(f, g, training)
    return apply_coefficients(a, mean_f - a * (g - detail), fine)


def agree(actual, expected):
    np.testing.assert_allclose(
        actual, expected, rtol=0, atol=3e-6 * np.abs(expected).max()
    )


@pytest.mark.parametrize("case", ["c3_r1", "c3_r2", "c8_r1", "c8_r2"])
def test_uncentred_form_is_the_filter_of_wu(shared, case):
    data = np.load(shared / "fixtures/guided_filter/gf_conv.npz")
    block = wu(data, case)
    names = "lr_input", "lr_guide", "hr_guide"
    x = [tf.constant(data[f"{case}__{k}"], tf.float32) for k in names]
    agree(block(*x[:2]), data[f"{case}__out_eval_samesize"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = upsampled(block, *x)
        total = tf.reduce_sum(y * np.float32(data[f"{case}__R"]))
    agree(y, data[f"{case}__out_eval"])
    for k, gradient in zip(names, tape.gradient(total, x), strict=True):
        agree(gradient, data[f"{case}__d{k}_eval"])
    y = upsampled(block, *x, training=True)
    agree(y, data[f"{case}__out_train_batchstats"])


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_closed_form_is_the_fast_filter_of_wu_at_one_size(shared, radius):
    data = np.load(shared / "fixtures/guided_filter/gf_guided.npz")
    block = DeepGuidedBlock(4, radius=radius, form="closed", eps=1e-2)
    names = "gf_same__input", "gf_same__guide"
    y = block(*(tf.constant(data[k], tf.float32) for k in names))
    agree(y, data[f"gf_same__fast_samesize_r{radius}_eps0.01__out"])
    assert not block.variables


@pytest.mark.parametrize("form", FORMS)
def test_every_form_trains_and_saves_in_a_functional_model(form, tmp_path):
    f, g = keras.Input((9, 12, 6)), keras.Input((9, 12, 6))
    x = DeepGuidedBlock(6, 8, form=form)(f, g)
    model = keras.Model([f, g], keras.layers.Conv2D(3, 1)(x))
    model.compile("sgd", "mse")
    inputs = [tf.constant(a, tf.float32) for a in pair()]
    model.train_on_batch(inputs, np.ones((2, 9, 12, 3)))
    model.save(tmp_path / "model.keras")
    other = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(other(inputs), model(inputs))


@pytest.fixture
def policy():
    yield keras.mixed_precision.set_global_policy
    keras.mixed_precision.set_global_policy("float32")


def block_model(form, dtype):
    f, g = (keras.Input((9, 12, 6), dtype=dtype) for _ in "fg")
    return keras.Model([f, g], DeepGuidedBlock(6, 8, 2, form=form)(f, g))


# Rounding of the coefficients and of the result to 11 or 8 bits; measured,
# at most 1.1e-3 and 9e-3 of the largest value.
@pytest.mark.parametrize(
    ("name", "dtype", "bound"),
    [
        ("mixed_float16", tf.float16, 4e-3),
        ("mixed_bfloat16", tf.bfloat16, 3e-2),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_statistics_stay_float32_under_mixed_precision(
    policy, form, name, dtype, bound
):
    # Exact in both dtypes; but squares of 100 are known to 4 and 32 at best.
    r = np.random.default_rng(0)
    f = np.round(r.normal(size=(2, 9, 12, 6)) * 16) / 16
    g = 100 + r.integers(-4, 5, f.shape) / 2
    exact = block_model(form, tf.float32)
    randomize(exact)
    expected, smoothed = exact([f, g]).numpy(), exact([f, 0 * g]).numpy()
    policy(name)
    model = block_model(form, dtype)
    model.set_weights(exact.get_weights())
    y = model([tf.cast(f, dtype), tf.cast(g, dtype)])
    half = "conv", "concat", "bound", "scale", "add", "input"
    for layer in model.layers:
        own = not layer.name.startswith("tf.")
        is_half = own and any(s in layer.name for s in half)
        wanted = dtype if is_half else tf.float32
        for output in tf.nest.flatten(layer.output):
            assert output.dtype == wanted, layer.name
    scale = np.abs(expected).max()
    assert np.abs(expected - smoothed).max() > 0.3 * scale
    np.testing.assert_allclose(
        tf.cast(y, tf.float32), expected, rtol=0, atol=bound * scale
    )


def test_resize_follows_the_mixed_precision_policy(policy):
    policy("mixed_bfloat16")
    assert Resize((3, 4))(keras.Input((9, 12, 6))).dtype == tf.bfloat16


@pytest.mark.parametrize(
    ("feature", "guide"),
    [
        ((1, 8, 8, 6), (1, 8, 9, 6)),
        ((1, 8, 8, 6), (1, 8, 8, 1)),
        ((1, 8, 8, 4), (1, 8, 8, 4)),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_block_refuses_other_shapes(feature, guide, form):
    with pytest.raises(UserError, match="feature .* guide .* 6"):
        DeepGuidedBlock(6, form=form)(tf.zeros(feature), tf.zeros(guide))


def test_block_and_decoder_refuse_unknown_sizes():
    f = keras.Input((None, None, 6))
    for form in FORMS:
        with pytest.raises(UserError, match="static"):
            DeepGuidedBlock(6, form=form)(f, f)
    with pytest.raises(UserError, match="static"):
        DeepGuidedDecoder(6)(f, f)


@pytest.mark.parametrize("radius", [0, -1, 1.5])
def test_radius_below_one_is_refused(radius):
    with pytest.raises(UserError, match="^radius: "):
        DeepGuidedDecoder(radius=radius)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (
            {"form": "centered"},
            "^form: 'centered' .*centred, uncentred, closed",
        ),
        ({"form": "closed", "eps": 0}, "^eps: 0 "),
    ],
)
def test_unknown_form_and_eps_of_zero_are_refused(keywords, message):
    with pytest.raises(UserError, match=message):
        DeepGuidedBlock(6, **keywords)

import numpy as np
import pytest
import tensorflow as tf

import deepgbass
from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.box import BoxMean, box_filter, box_mean


def windows(x, radius, dilation, reduce):
    """`reduce` over the samples of every window, pixel by pixel."""
    y = np.empty_like(x)
    offsets = np.arange(-radius, radius + 1) * dilation
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            rows = [i + k for k in offsets if 0 <= i + k < x.shape[1]]
            columns = [j + k for k in offsets if 0 <= j + k < x.shape[2]]
            y[:, i, j] = reduce(x[:, rows][:, :, columns], axis=(1, 2))
    return y


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_box_filter_is_the_reference_box(shared, radius):
    data = np.load(shared / "fixtures/guided_filter/gf_guided.npz")
    y = deepgbass.box_filter(tf.constant(data["box__x"]), radius)
    np.testing.assert_allclose(y, data[f"box__r{radius}"], atol=1e-12)


# The last three windows are wider than the image.
@pytest.mark.parametrize(
    ("radius", "dilation"), [(1, 1), (2, 1), (1, 2), (2, 3), (1, 9), (9, 1)]
)
def test_sum_and_mean_take_the_samples_inside_the_frame(radius, dilation):
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3))
    for function, reduce in (box_filter, np.sum), (box_mean, np.mean):
        np.testing.assert_allclose(
            function(x, radius, dilation),
            windows(x, radius, dilation, reduce),
            atol=1e-12,
        )


def test_box_mean_of_a_constant_is_that_constant_up_to_the_frame():
    for radius in (1, 2, 9):
        mean = BoxMean(radius, "mean")(tf.fill([1, 5, 7, 2], 3.0))
        np.testing.assert_allclose(mean, 3, rtol=1e-6)


def test_box_layers_survive_saving(tmp_path):
    x = keras.Input((5, 7, 2))
    model = keras.Model(x, BoxMean(2, "mean")(x))
    model.save(tmp_path / "model.keras")
    other = keras.models.load_model(tmp_path / "model.keras")
    image = tf.random.stateless_normal((1, 5, 7, 2), (0, 0))
    np.testing.assert_array_equal(other(image), model(image))


def test_float32_sums_do_not_grow_worse_with_the_image():
    # Cumulative sums would be off by 1e-4 here: they reach 1e5.
    x = np.random.default_rng(0).random((1, 512, 512, 1))
    error = box_filter(np.float32(x), 1).numpy() - box_filter(x, 1).numpy()
    assert np.abs(error).max() < 2e-6


@pytest.mark.parametrize("radius", [0, -1, 1.5, None])
def test_radius_below_one_is_refused(radius):
    with pytest.raises(UserError, match="^radius: "):
        box_filter(tf.zeros([1, 5, 5, 1]), radius)


def test_other_and_unknown_shapes_are_refused():
    with pytest.raises(UserError, match="^x: .*5, 5"):
        box_filter(tf.zeros([5, 5, 1]), 1)
    unknown = tf.function(lambda x: box_mean(x, 1), autograph=False)
    with pytest.raises(UserError, match="^x: .*static"):
        unknown.get_concrete_function(tf.TensorSpec([1, None, 5, 1]))

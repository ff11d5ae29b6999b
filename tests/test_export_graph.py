"""The exported graph computes what the network computes."""

import numpy as np
import pytest
import tensorflow as tf
from tiny import SIZE, tiny_config

from deepgbass.errors import UserError
from deepgbass.experiment import make_model
from deepgbass.export import graph
from deepgbass.export.graph import (
    SlicedResize,
    SteppedMean,
    check_size,
    export_graph,
    scale_bytes,
)
from deepgbass.keras_api import keras
from deepgbass.layers.resize import Resize, doubled_sizes, resize_bilinear

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (1, *SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def model():
    """A network whose batch norms have statistics that matter."""
    keras.utils.set_random_seed(0)
    network = make_model(tiny_config().model, 6, SIZE, batch_size=1)
    for weight in network.weights:
        if "moving_mean" in weight.name or "beta" in weight.name:
            weight.assign(RNG.normal(0, 0.1, weight.shape))
        if "moving_variance" in weight.name:
            weight.assign(RNG.uniform(0.1, 0.3, weight.shape))
    return network


def test_the_scaling_is_folded_into_the_first_convolution(model):
    before = [weight.numpy() for weight in model.weights]
    found = export_graph(model)(tf.constant(scale_bytes(IMAGE)))[0]
    expected = model(IMAGE.astype(np.float32), training=False)
    spread = np.std(expected)
    # Half a grey level at the frame is all that may differ.
    assert np.abs(found - expected).max() < 0.02 * spread
    assert np.abs(found - expected)[:, 4:-4, 4:-4].max() < 2e-3 * spread
    # Without the fold, the offset would show all over.
    shifted = model((IMAGE - 0.5).astype(np.float32), training=False)
    assert (
        np.abs(shifted - expected).mean() > 3 * np.abs(found - expected).mean()
    )
    for old, weight in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, weight)


def test_a_float_graph_takes_bytes_as_the_network_does(model):
    pixels = tf.constant(IMAGE, tf.float32)
    found = export_graph(model, integer=False)(pixels)[0]
    np.testing.assert_allclose(found, model(pixels), atol=1e-6)


@pytest.mark.parametrize("output", ["labels", "full"])
def test_labels_are_the_argmax_of_the_logits(model, output):
    pixels = tf.constant(IMAGE, tf.float32)
    logits = export_graph(model, integer=False)(pixels)[0]
    if output == "full":
        logits = tf.image.resize(logits, SIZE)
    found = export_graph(model, output, integer=False)(pixels)[0]
    assert found.dtype == tf.int32
    assert np.mean(found == np.argmax(logits, axis=-1)) > 0.999


def test_a_dynamic_batch_is_refused():
    with pytest.raises(UserError, match="static shape"):
        export_graph(make_model(tiny_config().model, 6, SIZE))


@pytest.mark.parametrize("size", [(3, 5), (16, 9), (2, 2)])
def test_slices_resize_as_the_whole(monkeypatch, size):
    monkeypatch.setattr(graph, "_RESIZE_POSITIONS", 4 * 4 * 9)
    target = tuple(4 * n for n in size)
    x = tf.constant(RNG.normal(size=(1, *size, 2)), tf.float32)
    sliced = SlicedResize(target, by_doubling=True)
    whole = Resize(target, by_doubling=True)
    np.testing.assert_allclose(sliced(x), whole(x), atol=1e-6)
    operators = tf.function(sliced).get_concrete_function(x).graph
    names = [op.type for op in operators.get_operations()]
    assert ("ConcatV2" in names) == (size != (2, 2))


@pytest.mark.parametrize("size", [(3, 5), (8, 4), (12, 6)])
def test_a_mean_in_two_steps_is_the_mean(monkeypatch, size):
    monkeypatch.setattr(graph, "_MEAN_SIDE", 4)
    x = RNG.normal(size=(1, *size, 2)).astype(np.float32)
    np.testing.assert_allclose(
        SteppedMean()(tf.constant(x)),
        x.mean(axis=(1, 2), keepdims=True),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "size, target, aligned, sizes",
    [
        ((3, 5), (12, 20), False, [(6, 10), (12, 20)]),
        ((33, 33), (129, 129), True, [(65, 65), (129, 129)]),
        ((3, 5), (12, 24), False, [(12, 24)]),
        ((3, 3), (12, 12), True, [(12, 12)]),
        ((1, 1), (9, 9), True, [(9, 9)]),
        ((9, 9), (9, 9), False, [(9, 9)]),
        ((None, 3), (4, 6), False, [(4, 6)]),
    ],
)
def test_doubling_goes_on_until_the_size_is_met(size, target, aligned, sizes):
    assert doubled_sizes(size, target, aligned) == sizes


def test_doubling_twice_is_a_little_smoother_than_one_resize():
    # At most a sixteenth of the second difference a side; with aligned
    # corners nothing.
    x = tf.constant([[0.0, 0.0, 1.0, 0.0, 0.0]])[:, None, :, None]
    x = tf.repeat(x, 5, axis=1)
    steps = Resize((20, 20), by_doubling=True)(x)
    difference = np.abs(steps - resize_bilinear(x, (20, 20))).max()
    assert difference == pytest.approx(2 / 16)
    aligned = Resize((17, 17), align_corners=True, by_doubling=True)(x)
    whole = resize_bilinear(x, (17, 17), align_corners=True)
    np.testing.assert_allclose(aligned, whole, atol=1e-6)


def test_sizes_that_the_stride_serves_pass():
    check_size((512, 1024), 16)
    check_size((32, 32), 16)
    check_size((513, 33), 16, align_corners=True)


@pytest.mark.parametrize(
    "size, aligned, nearest",
    [
        ((500, 1024), False, "496x1024"),
        ((16, 64), False, "32x64"),
        ((512, 513), True, "513x513"),
    ],
)
def test_other_sizes_are_refused_with_the_nearest(size, aligned, nearest):
    with pytest.raises(UserError, match=f"nearest is {nearest}"):
        check_size(size, 16, aligned)

"""What labels and logits may be, and what is said of those that do not fit."""

import numpy as np
import pytest
import tensorflow as tf
from sbal_reference import scene

from deepgbass.errors import UserError
from deepgbass.losses import IgnoreCrossentropy, SBALoss
from deepgbass.losses.scene import Scene


def test_ignored_pixels_have_no_class_and_no_crossentropy():
    labels, logits = scene()
    ignored = labels == 255
    got = Scene(labels, logits, 255)
    assert (got.labels.numpy()[ignored] == -1).all()
    np.testing.assert_array_equal(got.valid, ~ignored)
    assert not got.crossentropy.numpy()[ignored].any()
    assert (got.crossentropy.numpy()[~ignored] > 0).all()
    assert got.count == (~ignored).sum()


@pytest.mark.parametrize("bad_id", [3, 254, -1])
@pytest.mark.parametrize("as_graph", [False, True])
def test_a_label_that_is_no_class_is_named_with_its_place(bad_id, as_graph):
    labels, logits = scene()
    labels[1, 4, 6] = bad_id
    loss = IgnoreCrossentropy()
    call = tf.function(loss.__call__) if as_graph else loss
    place = r"\(image, row, column\)\D+1\D+4\D+6\D.* 0 to 2"
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=rf"(?s)neither a class nor ignored:[^\d-]+{bad_id}\D.*{place}",
    ):
        call(tf.constant(labels), tf.constant(logits))


@pytest.mark.parametrize("value", [0.5, 255.5, np.nan])
def test_a_label_that_is_no_whole_number_is_named(value):
    labels, logits = scene()
    labels = labels.astype(np.float32)
    labels[1, 4, 6] = value
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=rf"(?s)ignored:.*\s{value}\s"
    ):
        IgnoreCrossentropy()(labels, logits)


def test_xla_compiles_it_and_makes_the_loss_nan_for_a_bad_label():
    labels, logits = map(tf.constant, scene())
    loss = IgnoreCrossentropy()
    compiled = tf.function(loss.__call__, autograph=False, jit_compile=True)
    np.testing.assert_allclose(
        compiled(labels, logits), loss(labels, logits), rtol=1e-5
    )
    bad = tf.where(labels == 2, 7, labels)
    assert np.isnan(compiled(bad, logits))


def test_an_empty_batch_costs_nothing():
    labels, logits = np.zeros((0, 8, 8), np.int32), np.zeros((0, 2, 2, 3))
    assert IgnoreCrossentropy()(labels, logits) == 0


@pytest.mark.parametrize(
    "labels, logits, message",
    [
        (np.bool_, np.float32, "labels are bool; they must be integers"),
        (np.str_, np.float32, "labels are string"),
        (np.int32, np.int32, "logits are int32; they must be floats"),
        (np.int32, np.complex64, "logits are complex64"),
    ],
)
def test_types_that_do_not_fit_are_refused(labels, logits, message):
    with pytest.raises(UserError, match=message):
        SBALoss()(np.zeros((1, 8, 8), labels), np.zeros((1, 8, 8, 3), logits))


@pytest.mark.parametrize(
    "labels, logits, message",
    [
        ((1, 8), (1, 8, 8, 3), r"labels must be .* they are \(1, 8\) and"),
        ((1, 8, 8, 2), (1, 8, 8, 3), r"labels must be .*\(1, 8, 8, 2\)"),
        ((1, 8, 8), (8, 8, 3), r"logits .* and \(8, 8, 3\)"),
        ((2, 8, 8), (3, 8, 8, 3), "differ in the batch"),
        ((1, 8, 8), (1, 8, 9, 3), r"logits \(1, 8, 9, 3\) have a higher"),
        ((1, 4, 8), (1, 4, 8, 3), r"labels are \(1, 4, 8\): .* at least 5"),
        ((1, 8, 4), (1, 2, 2, 3), "at least 5 pixels"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(labels, logits, message):
    with pytest.raises(UserError, match=message):
        SBALoss()(np.zeros(labels, np.int32), np.zeros(logits, np.float32))


def test_the_number_of_classes_must_be_known():
    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([1, 8, 8], tf.int32),
            tf.TensorSpec([1, 8, 8, None]),
        ],
    )
    def loss(labels, logits):
        return SBALoss()(labels, logits)

    with pytest.raises(UserError, match="number of classes must be known"):
        loss.get_concrete_function()

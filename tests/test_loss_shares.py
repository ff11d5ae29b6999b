"""Losses of a batch's parts add up to that of the batch."""

import numpy as np
import pytest
import tensorflow as tf
from sbal_reference import close_gradient, scene, uncompiled

from deepgbass.errors import UserError
from deepgbass.losses import IgnoreCrossentropy, SBALoss

pytestmark = pytest.mark.usefixtures(uncompiled.__name__)

LOSSES = [
    IgnoreCrossentropy(),
    SBALoss(ce_weight=0.5),
    SBALoss(per_image=True, reduction="mean", ignore_mode="dilated"),
    SBALoss(normalization="image_max", reduction="sum", stop_weights=False),
    SBALoss(ignore_mode="gscnn", wce_weight=0.0, ce_weight=1.0),
]
# Of four images, the third of which is ignored.
PARTS = [slice(0, 2), slice(2, 3), slice(3, 4)]


def components(loss, labels, logits, seed, reduce=None):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        parts = loss.components(labels, logits, seed=seed, reduce=reduce)
    gradient = tape.gradient(parts["total"], logits).numpy()
    return {k: float(v) for k, v in parts.items()}, gradient


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_shares_add_up_to_the_whole(loss):
    labels, logits = scene((4, 12, 14, 3), ignore=0.2)
    labels[2] = 255
    expected, gradient = components(loss, labels, logits, (1, 2))
    assert list(expected) == list(loss.parts)
    seeds = [(1, 2, part.start) for part in PARTS]
    counts = [
        loss.counts(labels[p], logits[p], seed=seed)
        for p, seed in zip(PARTS, seeds, strict=True)
    ]
    whole = tf.add_n(counts)
    np.testing.assert_allclose(
        whole, loss.counts(labels, logits, seed=(1, 2)), rtol=1e-5
    )
    shares = [
        components(loss, labels[p], logits[p], seed, lambda _: whole)
        for p, seed in zip(PARTS, seeds, strict=True)
    ]
    for name, value in expected.items():
        total = sum(share[name] for share, _ in shares)
        assert total == pytest.approx(value, rel=1e-5), name
    close_gradient(np.concatenate([g for _, g in shares]), gradient)


def test_counts_of_crossentropy_need_no_logits():
    labels, logits = scene(ignore=0.3)
    loss = IgnoreCrossentropy()
    assert not loss.counts_need_logits
    np.testing.assert_array_equal(
        loss.counts(labels), loss.counts(labels, logits)
    )
    assert loss.counts(labels[..., None]) == (labels != 255).sum()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"normalization": "batch_max"}, "loss.normalization 'batch_max'"),
        ({"stop_weights": False}, "stop_weights=False"),
    ],
)
def test_losses_that_couple_a_batch_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        SBALoss(**options).require_divisible()
    SBALoss().require_divisible()
    SBALoss(stop_weights=False, reduction="mean").require_divisible()

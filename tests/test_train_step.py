"""A compiled step on one device; several are in test_replicas.py."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from sbal_reference import uncompiled
from small_network import (
    make_step,
    small_batch,
    small_config,
    small_network,
    trained,
)

from deepgbass.errors import UserError
from deepgbass.layers.dropout import DropoutSeed
from deepgbass.losses import IgnoreCrossentropy, SBALoss
from deepgbass.training.optimization import (
    decayed_kernels,
    make_optimizer,
    weight_penalty,
)


def weights_near(model, other, atol=1e-6):
    for got, expected, weight in zip(
        model.get_weights(), other.get_weights(), model.weights, strict=True
    ):
        np.testing.assert_allclose(
            got, expected, atol=atol, rtol=0, err_msg=weight.name
        )


def test_the_default_is_the_plain_step():
    images, labels = small_batch()
    config = small_config()
    model, loss = small_network(), IgnoreCrossentropy()
    optimizer, dropout = make_optimizer(config), DropoutSeed(model)
    for number in range(3):
        with tf.GradientTape() as tape, dropout.of((config.seed, number, 0)):
            value = loss(labels, model(images, training=True))
            value += weight_penalty(decayed_kernels(model), config.weight_decay)
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
    other, parts = trained(3)
    assert parts[-1]["total"] == pytest.approx(float(value), abs=1e-4)
    norm = float(tf.linalg.global_norm(gradients))
    assert parts[-1]["gradient_norm"] == pytest.approx(norm, rel=1e-4)
    weights_near(other, model, 1e-5)


def test_it_learns():
    _, parts = trained(25, steps=1000)
    assert parts[-1]["total"] < 0.5 * parts[0]["total"]


def accumulates_like_the_large_batch(loss, **fields):
    fields |= {"optimizer": "sgd", "freeze_batch_norm": True}
    whole, expected = trained(2, loss=loss, **fields)
    for accumulate in (2, 4):
        model, parts = trained(2, loss=loss, accumulate=accumulate, **fields)
        for got, wanted in zip(parts, expected, strict=True):
            assert got == pytest.approx(wanted, rel=1e-5)
        # SGD's weights differ as the gradients do.
        weights_near(model, whole, 1e-6)


def test_accumulated_crossentropy_is_that_of_the_large_batch():
    # With clipping and recomputation, which come behind and before.
    accumulates_like_the_large_batch(
        IgnoreCrossentropy(), clip_norm=0.1, recompute=True
    )


@pytest.mark.slow
@pytest.mark.usefixtures(uncompiled.__name__)
def test_accumulated_sbal_is_that_of_the_large_batch():
    accumulates_like_the_large_batch(SBALoss(ce_weight=0.5))


@pytest.mark.usefixtures(uncompiled.__name__)
def test_accumulation_moves_statistics_once_a_micro_batch():
    model, (parts,) = trained(
        1, loss=SBALoss(noise=False), accumulate=2, dropout=0.0
    )
    expected = small_network(0.0)
    images, _ = small_batch()
    norm = expected.get_layer("Conv_bn")
    norm.momentum = 0.5**0.5
    for half in (images[:2], images[2:]):
        expected(half, training=True)
    got = model.get_layer("Conv_bn")
    np.testing.assert_allclose(got.moving_mean, norm.moving_mean, rtol=1e-4)
    np.testing.assert_allclose(
        got.moving_variance, norm.moving_variance, rtol=1e-4
    )


def test_recomputing_changes_nothing():
    model, parts = trained(2)
    other, again = trained(2, recompute=True)
    assert again[-1] == pytest.approx(parts[-1], rel=1e-5)
    weights_near(other, model, 1e-5)


def test_gradients_are_clipped_and_their_norm_is_told():
    start = small_network().get_weights()
    fields = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 1.0}
    _, (free,) = trained(1, **fields)
    model, (parts,) = trained(1, clip_norm=0.01, **fields)
    assert parts["gradient_norm"] == free["gradient_norm"] > 0.01
    ids = {id(v) for v in model.trainable_variables}
    moved = [
        w.numpy() - old
        for w, old in zip(model.weights, start, strict=True)
        if id(w) in ids
    ]
    norm = np.sqrt(sum((m**2).sum() for m in moved))
    assert norm == pytest.approx(0.01, rel=1e-3)


def test_frozen_parts_stay_and_others_have_their_rates():
    start = small_network()
    model, _ = trained(
        1,
        optimizer="sgd",
        momentum=0.0,
        freeze=("backbone",),
        rate_multipliers=("logits=0.5",),
        dropout=0.0,
    )
    plain, _ = trained(
        1, optimizer="sgd", momentum=0.0, freeze=("backbone",), dropout=0.0
    )

    def moved(network, name):
        layers = (n.get_layer(name) for n in (network, start))
        new, old = (
            np.concatenate([w.ravel() for w in layer.get_weights()])
            for layer in layers
        )
        return new - old

    for name in ("Conv", "Conv_bn", "expanded_conv_bn"):
        assert not moved(model, name).any()
    np.testing.assert_allclose(
        moved(model, "logits"), 0.5 * moved(plain, "logits"), atol=1e-7
    )
    np.testing.assert_array_equal(moved(model, "aspp0"), moved(plain, "aspp0"))
    assert moved(model, "aspp0").any()


def test_a_step_that_overflows_is_skipped_and_told():
    model, step = make_step(precision="mixed_float16", ema_decay=0.5)
    images, labels = small_batch()
    step(images, labels)
    weights = [v.numpy() for v in model.trainable_variables]
    # The gradients overflow, not the loss, which would end the run.
    step.optimizer._loss_scale.current_loss_scale.assign(2.0**100)
    parts = step(images, labels)
    assert parts["finite"] == 0
    assert step.guard.sound
    scale = float(parts["loss_scale"])
    for got, old in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_array_equal(got, old)
    assert step.optimizer.loss_scale == scale / 2


def test_gradients_that_no_scale_mends_break_the_run():
    @dataclasses.dataclass(frozen=True)
    class Broken(IgnoreCrossentropy):
        """Finite, with a gradient that is not."""

        def components(self, labels, logits, seed=None, reduce=None):
            found = super().components(labels, logits, seed, reduce)
            zero = tf.reduce_sum(logits * 0)
            return found | {"total": found["total"] + tf.sqrt(zero)}

    _, step = make_step(Broken(), precision="mixed_float16")
    step.optimizer._loss_scale.current_loss_scale.assign(1.0)
    parts = step(*small_batch())
    assert np.isfinite(parts["total"]) and parts["finite"] == 0
    assert not step.guard.sound


def test_a_broken_step_changes_nothing_and_is_the_last():
    model, step = make_step(ema_decay=0.5)
    images, labels = small_batch()
    step(images, labels)
    weights = [v.numpy() for v in model.trainable_variables]
    for batch in (np.full_like(images, np.inf), images):
        step(batch, labels)
    assert not step.guard.sound
    assert step.step == 1
    for got, old in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_array_equal(got, old)


@pytest.mark.slow
def test_it_goes_on_from_a_checkpoint_as_if_nothing_had_been(tmp_path):
    fields = {"ema_decay": 0.9, "precision": "mixed_float16"}
    straight, step = make_step(**fields)
    for number in range(4):
        if number == 2:
            saved = tf.train.Checkpoint(**step.trackables())
            path = saved.write(str(tmp_path / "two"))
        step(*small_batch())
    model, again = make_step(**fields)
    tf.train.Checkpoint(**again.trackables()).read(path).assert_consumed()
    for _ in range(2):
        again(*small_batch())
    assert again.step == 4
    # Dropout included.
    weights_near(model, straight, 0)
    for got, expected in zip(
        again.average.shadows, step.average.shadows, strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_the_average_follows_the_weights():
    model, step = make_step(ema_decay=0.9)
    start = [w.numpy() for w in model.trainable_variables]
    step(*small_batch())
    own = [w.numpy() for w in model.trainable_variables]
    step.average.apply()
    for weight, old, new in zip(
        model.trainable_variables, start, own, strict=True
    ):
        expected = old + (1 - 2 / 11) * (new - old)
        np.testing.assert_allclose(weight, expected, atol=1e-6)


@pytest.mark.parametrize(
    "loss, fields, message",
    [
        (
            SBALoss(normalization="batch_max"),
            {"accumulate": 2},
            "loss.normalization 'batch_max'",
        ),
        (None, {"freeze": ("decoder",)}, "train.freeze: 'decoder'"),
        (
            None,
            {"freeze": ("Conv", "expanded", "aspp", "logits")},
            "whole network",
        ),
        (None, {"rate_multipliers": ("x=2",)}, "train.rate_multipliers: 'x'"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_step(loss, fields, message):
    with pytest.raises(UserError, match=message):
        make_step(loss, **fields)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_what_is_copied_to_all_workers_is_what_is_saved(tmp_path, precision):
    _, step = make_step(ema_decay=0.9, precision=precision)
    path = tf.train.Checkpoint(**step.trackables()).write(str(tmp_path / "c"))
    saved = tf.train.list_variables(path)
    # The rate of this step is a note for the log.
    saved = [
        name
        for name, _ in saved
        if name.endswith("VARIABLE_VALUE") and "current_learning" not in name
    ]
    assert len({id(v) for v in step.variables()}) == len(saved)
    scales = [v for v in step.variables() if "loss_scale" in v.name]
    assert bool(scales) == (precision == "mixed_float16")

import dataclasses

import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from sbal_reference import CASES, load_case, sbal
from scipy.special import softmax

from deepgbass import boundary
from deepgbass.errors import UserError
from deepgbass.losses import (
    BoundaryWeightedCrossentropy,
    IgnoreCrossentropy,
    SBALoss,
    SemanticBoundaryLoss,
)

LOSSES = [
    SBALoss(),
    SBALoss(noise=False),
    SBALoss(wce_weight=0.0, ce_weight=1.0),
    SemanticBoundaryLoss(noise=False),
    BoundaryWeightedCrossentropy(noise=False, reduction="mean"),
    IgnoreCrossentropy(),
]
QUIET = SBALoss(noise=False, ce_weight=0.5)


def scene(shape=(2, 12, 14, 3), seed=0, ignore=0.1):
    """Labels in blocks, some ignored, and logits that half agree."""
    rng = np.random.default_rng(seed)
    batch, height, width, classes = shape
    blocks = rng.integers(0, classes, (batch, -(-height // 4), -(-width // 4)))
    labels = blocks.repeat(4, 1).repeat(4, 2)[:, :height, :width]
    logits = 2.0 * (np.arange(classes) == labels[..., None])
    logits += rng.normal(size=shape)
    labels = np.where(rng.random(labels.shape) < ignore, 255, labels)
    return labels.astype(np.int32), logits.astype(np.float32)


def value_and_gradient(loss, labels, logits, seed=(1, 2)):
    logits = tf.convert_to_tensor(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(labels, logits, seed=seed)
    return value.numpy(), tape.gradient(value, logits).numpy()


def close_gradient(got, expected):
    scale = abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * scale + 1e-9)


@pytest.mark.parametrize("case", CASES)
def test_fixtures_values_and_gradients(shared, case, monkeypatch):
    data, configurations = load_case(shared, case)
    labels, logits = data["labels"], data["logits"].astype(np.float32)
    noise = data["gumbel"].astype(np.float32)
    monkeypatch.setattr(boundary, "gumbel_noise", lambda shape, seed: noise)
    for name, (noisy, temperature, normalizer) in configurations.items():
        options = {
            "noise": noisy,
            "temperature": temperature,
            "normalizer": normalizer,
        }

        def expect(item, name=name):
            return data[f"{name}__{item}"]

        def check(value, item, expect=expect):
            assert value.numpy() == pytest.approx(
                expect(item), rel=1e-5, abs=1e-7
            )

        x = tf.constant(logits)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            parts = SBALoss(reduction="sum", **options).components(labels, x)
        check(parts["sbl"], "SBL")
        check(parts["wce"], "WCE_max_sum")
        check(parts["total"], "TOTAL_literal_l1_1_l2_1")
        close_gradient(tape.gradient(parts["sbl"], x), expect("grad_SBL"))
        close_gradient(
            tape.gradient(parts["wce"], x), expect("grad_WCE_max_sum")
        )
        for reduction, item in (("mean", "mean"), ("weights", "wmean")):
            loss = BoundaryWeightedCrossentropy(reduction=reduction, **options)
            check(loss(labels, x), f"WCE_max_{item}")
        valid = max((labels != 255).sum(), 1)
        assert parts["mean_weight"].numpy() == pytest.approx(
            expect("w_max").sum() / valid, rel=1e-5, abs=1e-7
        )


@pytest.mark.parametrize("case", CASES)
def test_fixtures_crossentropy(shared, case):
    data, _ = load_case(shared, case)
    value, gradient = value_and_gradient(
        IgnoreCrossentropy(), data["labels"], data["logits"].astype(np.float32)
    )
    assert value == pytest.approx(data["CE_mean"], rel=1e-5, abs=1e-9)
    close_gradient(gradient, data["grad_CE_mean"])


@pytest.mark.parametrize("threshold", [0.1, 0.3])
def test_components_equal_the_float64_oracle(threshold):
    labels, logits = scene()
    expected = sbal(labels, logits, threshold=threshold)
    w, ce = expected["weight"], expected["crossentropy"]
    count = expected["valid"].sum()
    loss = SBALoss(
        wce_weight=2.0,
        sbl_weight=3.0,
        ce_weight=0.25,
        noise=False,
        threshold=threshold,
    )
    parts = {k: v.numpy() for k, v in loss.components(labels, logits).items()}
    assert parts["sbl"] == pytest.approx(expected["sbl"], rel=1e-5)
    assert parts["wce"] == pytest.approx((w * ce).sum() / w.sum(), rel=1e-5)
    assert parts["ce"] == pytest.approx(ce.sum() / count, rel=1e-5)
    assert parts["mean_weight"] == pytest.approx(w.sum() / count, rel=1e-5)
    assert parts["total"] == pytest.approx(
        2 * parts["wce"] + 3 * parts["sbl"] + 0.25 * parts["ce"], rel=1e-6
    )
    assert 0 < expected["sbl"] < 1 < w.sum()


def test_gradient_is_the_slope_of_the_oracle():
    labels, logits = scene((1, 9, 8, 3))
    _, gradient = value_and_gradient(
        SemanticBoundaryLoss(noise=False), labels, logits
    )
    direction = np.random.default_rng(1).normal(size=logits.shape)
    plus, minus = (
        sbal(labels, logits + h * direction)["sbl"] for h in (1e-6, -1e-6)
    )
    slope = (plus - minus) / 2e-6
    assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-3)


def test_weights_of_the_crossentropy_are_constants_to_the_gradient():
    labels, logits = scene()
    w = sbal(labels, logits)["weight"][..., None]
    _, gradient = value_and_gradient(
        BoundaryWeightedCrossentropy(noise=False), labels, logits
    )
    truth = np.arange(3) == labels[..., None]
    expected = w * (softmax(logits.astype(float), axis=-1) - truth) / w.sum()
    close_gradient(gradient, expected)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_ignored_pixels_change_neither_value_nor_gradient(loss):
    labels, logits = scene(ignore=0.3)
    ignored = labels == 255
    other = np.where(ignored[..., None], 50 * logits[..., ::-1] - 7, logits)
    value, gradient = value_and_gradient(loss, labels, logits)
    other_value, other_gradient = value_and_gradient(loss, labels, other)
    assert value == other_value > 0
    np.testing.assert_array_equal(gradient, other_gradient)
    assert not gradient[ignored].any()
    assert gradient[~ignored].any()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_all_ignored_is_zero_with_zero_gradient(loss):
    labels, logits = scene()
    value, gradient = value_and_gradient(
        loss, np.full_like(labels, 255), logits
    )
    assert value == 0
    assert not gradient.any()


def test_any_id_can_be_the_ignored_one():
    labels, logits = scene(ignore=0)
    parts = SBALoss(noise=False, ignore_label=2).components(labels, logits)
    expected = sbal(np.where(labels == 2, 255, labels), logits)
    assert parts["sbl"].numpy() == pytest.approx(expected["sbl"], rel=1e-5)


def test_perfect_confident_prediction_has_no_boundary_loss():
    labels, _ = scene()
    truth = np.arange(3) == labels[..., None]
    parts = QUIET.components(labels, 1e4 * truth.astype(np.float32))
    for name in ("sbl", "wce", "mean_weight"):
        assert parts[name].numpy() == pytest.approx(0, abs=1e-6), name


@pytest.mark.parametrize(
    "turn",
    [
        lambda x: x[:, ::-1],
        lambda x: x[:, :, ::-1],
        lambda x: np.swapaxes(x, 1, 2),
        lambda x: x[::-1],
    ],
    ids=["upside down", "mirrored", "transposed", "batch order"],
)
def test_turning_the_batch_turns_the_gradient(turn):
    labels, logits = scene()
    value, gradient = value_and_gradient(QUIET, labels, logits)
    turned = value_and_gradient(QUIET, turn(labels), turn(logits))
    assert turned[0] == pytest.approx(value, rel=1e-5)
    close_gradient(turned[1], turn(gradient))


def test_names_of_classes_do_not_matter():
    labels, logits = scene()
    value, gradient = value_and_gradient(QUIET, labels, logits)
    order = np.array([2, 0, 1])
    renamed = np.where(labels == 255, 255, np.argsort(order)[labels % 255])
    permuted = value_and_gradient(QUIET, renamed, logits[..., order])
    assert permuted[0] == pytest.approx(value, rel=1e-5)
    close_gradient(permuted[1], gradient[..., order])


def test_noise_follows_the_seed():
    labels, logits = scene()
    loss = SBALoss()
    values = [
        loss(labels, logits, seed).numpy()
        for seed in ((1, 2), tf.constant([1, 2]), (2, 1), None, None)
    ]
    assert values[0] == values[1]
    assert len(set(values)) == 4
    quiet = dataclasses.replace(loss, noise=False)
    assert quiet(labels, logits) == quiet(labels, logits, seed=(5, 6))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_low_resolution_logits_are_resized_to_the_labels(loss):
    labels, logits = scene()
    low = logits[:, ::4, ::4]
    resized = tf.image.resize(low, labels.shape[1:])
    expected = loss(labels, resized, seed=(1, 2))
    assert loss(labels, low, seed=(1, 2)) == expected
    # Nor need the sizes be known when a fully convolutional model is traced.
    any_size = tf.TensorSpec([None, None, None, logits.shape[-1]])
    traced = tf.function(
        lambda labels, logits: loss(labels, logits, seed=(1, 2)),
        input_signature=[
            tf.TensorSpec([None, None, None], labels.dtype),
            any_size,
        ],
    )
    np.testing.assert_allclose(traced(labels, low), expected, rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
def test_half_precision_logits_are_computed_in_float32(loss, dtype):
    labels, logits = scene()
    half = tf.cast(200 * logits, dtype)
    value, gradient = value_and_gradient(loss, labels, half)
    exact, slope = value_and_gradient(loss, labels, tf.cast(half, tf.float32))
    assert value.dtype == np.float32
    assert value == exact > 0
    np.testing.assert_array_equal(gradient, tf.cast(slope, dtype).numpy())
    assert np.isfinite(gradient.astype(np.float32)).all()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_label_forms_agree(loss):
    labels, logits = scene()
    values = {
        loss(form, logits, seed=(1, 2)).numpy()
        for form in (
            labels,
            labels[..., None],
            labels.astype(np.float32),
            tf.cast(labels, tf.uint8),
        )
    }
    assert len(values) == 1


def test_boundary_terms_without_weight_are_left_out():
    labels, logits = scene()
    value, gradient = value_and_gradient(
        SBALoss(wce_weight=0.0, sbl_weight=0.0, ce_weight=1.0), labels, logits
    )
    plain = value_and_gradient(IgnoreCrossentropy(), labels, logits)
    assert value == plain[0]
    np.testing.assert_array_equal(gradient, plain[1])


@pytest.mark.parametrize("generation", [tf_keras, keras3], ids=["2", "3"])
def test_trains_a_model_of_either_keras(generation):
    labels, _ = scene((4, 8, 12, 3))
    images = np.eye(3, dtype=np.float32)[labels % 3]
    layers = generation.layers
    model = generation.Sequential(
        [
            layers.Input((8, 12, 3)),
            layers.AveragePooling2D(2),
            layers.Conv2D(3, 1),
        ]
    )
    model.compile(optimizer=generation.optimizers.Adam(0.1), loss=SBALoss())
    history = model.fit(images, labels, epochs=6, batch_size=2, verbose=0)
    losses = history.history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.9 * losses[0]


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


@pytest.mark.parametrize(
    "options, message",
    [
        ({"temperature": 0}, "temperature is 0; it must be above 0"),
        ({"normalizer": float("nan")}, "normalizer is nan"),
        ({"reduction": "avg"}, "reduction is 'avg'; .* weights, mean, sum"),
        ({"ce_weight": -1}, "none may be negative"),
        ({"wce_weight": 0, "sbl_weight": 0}, "one must be above 0"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        SBALoss(**options)

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from sbal_reference import (
    READINGS,
    close_gradient,
    sbal,
    scene,
    uncompiled,
    value_and_gradient,
)
from scipy.special import softmax

from deepgbass.configs import LOSS_CHOICES, ExperimentConfig, LossConfig
from deepgbass.errors import UserError
from deepgbass.experiment import make_loss
from deepgbass.losses import (
    BoundaryWeightedCrossentropy,
    IgnoreCrossentropy,
    SBALoss,
    SemanticBoundaryLoss,
)

# test_losses_compiled.py compares with compiled ones.
pytestmark = pytest.mark.usefixtures(uncompiled.__name__)

LOSSES = [
    SBALoss(),
    SBALoss(noise=False),
    SBALoss(wce_weight=0.0, ce_weight=1.0),
    SemanticBoundaryLoss(noise=False, per_image=True),
    SBALoss(border="one_sided", reading="binary"),
    SBALoss(normalization="image_max", stop_weights=False),
    BoundaryWeightedCrossentropy(noise=False, reduction="mean"),
    IgnoreCrossentropy(),
]


QUIET = SBALoss(noise=False, ce_weight=0.5)


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


def test_dilated_leaves_out_what_the_filters_join_to_ignored_pixels():
    labels, logits = scene((1, 20, 24, 3), ignore=0)
    labels[0, 8, 10] = 255
    parts = SBALoss(noise=False, ignore_mode="dilated").maps(labels, logits)
    seen = parts["true_mask"].numpy().any(-1)[0]
    assert not seen[3:14, 5:16].any()
    assert seen[:, 4].any() and seen[2].any()


@pytest.mark.parametrize("ignore_mode", ["gscnn", "gscnn_masked"])
def test_as_gscnn_ignored_logits_alone_change_nothing(ignore_mode):
    labels, logits = scene(ignore=0.3)
    ignored = labels == 255
    other = np.where(ignored[..., None], 7 - 50 * logits, logits)
    loss = SBALoss(noise=False, ignore_mode=ignore_mode)
    value, gradient = value_and_gradient(loss, labels, logits)
    other_value, other_gradient = value_and_gradient(loss, labels, other)
    assert value == other_value > 0
    np.testing.assert_array_equal(gradient, other_gradient)
    assert not gradient[ignored].any()


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


@pytest.mark.parametrize("reading", READINGS)
def test_perfect_prediction_has_no_weight_in_any_reading(reading):
    labels, _ = scene()
    truth = np.arange(3) == labels[..., None]
    loss = SBALoss(reading=reading, noise=False)
    parts = loss.components(labels, 1e4 * truth.astype(np.float32))
    assert parts["mean_weight"].numpy() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_logits_that_are_not_finite_are_not_hidden(loss, ignored, value):
    labels, logits = scene()
    place = tuple(np.argwhere((labels == 255) == ignored)[5])
    logits[(*place, 1)] = value
    if not (ignored and value == np.inf):
        assert not np.isfinite(loss(labels, logits))


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


def test_given_noise_is_used_and_must_fit():
    labels, logits = scene()
    noise = np.random.default_rng(3).gumbel(size=logits.shape)
    noise = noise.astype(np.float32)
    values = {
        SBALoss(noise=drawn)(labels, logits, noise=noise).numpy()
        for drawn in (True, False)
    }
    perturbed = SemanticBoundaryLoss(noise=False)(labels, logits + noise)
    assert len(values) == 1
    assert SemanticBoundaryLoss()(labels, logits, noise=noise) == perturbed
    with pytest.raises(UserError, match=r"noise is \(2, 3\)"):
        SBALoss()(labels, logits, noise=noise[:, 0, :3, 0])


def test_per_image_is_the_mean_over_batches_of_one():
    labels, logits = scene()
    loss = SemanticBoundaryLoss(noise=False, per_image=True)
    single = [loss(labels[i : i + 1], logits[i : i + 1]) for i in range(2)]
    value = loss(labels, logits).numpy()
    assert value == pytest.approx(np.mean(single), rel=1e-5)
    over_batch = SemanticBoundaryLoss(noise=False)(labels, logits).numpy()
    assert over_batch != pytest.approx(np.mean(single), rel=1e-4)


def test_maps_are_those_of_the_oracle():
    labels, logits = scene()
    maps = SBALoss(noise=False).maps(labels, logits)
    expected = sbal(labels, logits)
    np.testing.assert_allclose(maps["weights"], expected["weight"], atol=1e-5)
    for xi, mask in (
        ("predicted", "predicted_mask"),
        ("true", "true_mask"),
    ):
        marked = (maps[xi].numpy() > 0.1) & (labels != 255)[..., None]
        np.testing.assert_array_equal(maps[mask], marked)


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


@pytest.mark.parametrize("name", ["sbal", "sbl"])
def test_every_choice_can_be_configured(name):
    words = {
        "normalization": "image_max",
        "border": "zeros",
        "ignore_mode": "dilated",
        "per_image": True,
        "reading": "binary",
        "reduction": "sum",
    }
    config = ExperimentConfig().with_overrides(
        [f"loss.name={name}", *(f"loss.{k}={v}" for k, v in words.items())]
    )
    assert ExperimentConfig.from_json(config.to_json()) == config
    loss = make_loss(config.loss)
    assert {k: getattr(loss, k) for k in words} == words
    assert make_loss(LossConfig()) == SBALoss()
    plain = (loss.wce_weight, loss.sbl_weight, loss.ce_weight)
    assert plain == ((0, 1, 1) if name == "sbl" else (1, 1, 0))


@pytest.mark.parametrize("field", LOSS_CHOICES)
def test_an_unknown_choice_in_a_configuration_is_refused(field):
    with pytest.raises(UserError, match=f"loss.{field} is 'other'; .* one of"):
        ExperimentConfig().with_overrides([f"loss.{field}=other"])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"temperature": 0}, "temperature is 0; it must be above 0"),
        ({"normalizer": float("nan")}, "normalizer is nan"),
        ({"threshold": -1}, "threshold is -1; it must be 0 or above"),
        ({"reading": "or"}, "reading is 'or'; .* max, binary"),
        ({"border": "mirror"}, "border is 'mirror'"),
        ({"ignore_mode": "drop"}, "ignore_mode is 'drop'"),
        ({"normalization": "max"}, "normalization is 'max'"),
        ({"sbl_weight": float("nan")}, "none may be negative"),
        ({"reduction": "avg"}, "reduction is 'avg'; .* weights, mean, sum"),
        ({"ce_weight": -1}, "none may be negative"),
        ({"wce_weight": 0, "sbl_weight": 0}, "one must be above 0"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        SBALoss(**options)

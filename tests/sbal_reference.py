"""SBAL in float64 NumPy, from the paper's section III.B, and its fixtures."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import correlate1d
from scipy.special import log_softmax, softmax

CASES = [
    "all_ignore",
    "c3",
    "confident_1e4",
    "false_boundary_only",
    "flat_empty_masks",
    "min_size_5x5",
    "missed_boundary_only",
    "one_image_all_ignore",
]
_LETTER = {"noise": False, "temperature": 1.0, "normalizer": 1.0}
# Arguments of SBALoss by name in fixtures/README.md section 1.
CONFIGURATIONS = {
    "lit": _LETTER,
    "lit_n1": _LETTER | {"noise": True},
    "lit_n05": _LETTER | {"noise": True, "temperature": 0.5},
    "const": _LETTER | {"normalizer": 0.18},
    "const_n1": _LETTER | {"normalizer": 0.18, "noise": True},
    "imax": _LETTER | {"normalization": "image_max"},
    "dilated": _LETTER | {"ignore_mode": "dilated"},
    "onesided": _LETTER | {"border": "one_sided"},
    "zeropad": _LETTER | {"border": "zeros"},
    "gsign": _LETTER | {"ignore_mode": "gscnn_masked"},
}
# GSCNN's loss with its early returns removed, at each threshold.
GSCNN = {
    "normalization": "batch_max",
    "border": "zeros",
    "ignore_mode": "gscnn",
    "temperature": 0.5,
}
READINGS = (
    "max",
    "binary",
    "noisy_or",
    "bounded_sum",
    "masked_max",
    "classwise_max",
)


@pytest.fixture
def uncompiled():
    """Runs compiled functions as plain ones: compiling is the slow part."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def load_case(shared, case):
    """The arrays of a fixture and those of CONFIGURATIONS that it has."""
    data = np.load(shared / f"fixtures/sbal/sbal_{case}.npz")
    arrays = {name: data[name] for name in data.files}
    names = [n for n in CONFIGURATIONS if f"{n}__xi" in arrays]
    assert "lit" in names
    return arrays, {name: CONFIGURATIONS[name] for name in names}


def magnitude(maps, normalizer, border="symmetric"):
    """Gradient magnitude of filtered maps; SciPy's "reflect" is SYMMETRIC."""
    triangle = np.array([1, 2, 3, 4, 5, 4, 3, 2, 1]) / 25
    maps = np.asarray(maps, np.float64)
    for axis in (1, 2):
        maps = correlate1d(maps, triangle, axis, mode="reflect")

    def slope(axis):
        if border == "one_sided":
            return np.gradient(maps, axis=axis)
        mode = {"symmetric": "reflect", "zeros": "constant"}[border]
        return correlate1d(maps, [-0.5, 0, 0.5], axis, mode=mode)

    return np.sqrt(slope(1) ** 2 + slope(2) ** 2 + 1e-6) / normalizer


def sbal(labels, logits, temperature=0.5, normalizer=0.18, threshold=0.1):
    """Eqs. 1-3 without noise.

    Returns:
        dict: `sbl`, `weight` (the map w), `crossentropy` (a map), `valid`.
    """
    valid = labels != 255
    logits = np.asarray(logits, np.float64)
    true = np.arange(logits.shape[-1]) == labels[..., None]
    maps = (softmax(logits / temperature, axis=-1) * valid[..., None], true)
    xi, xi_hat = (magnitude(m, normalizer) for m in maps)
    masks = [valid[..., None] & (x > threshold) for x in (xi, xi_hat)]
    error = abs(xi - xi_hat)
    top = abs(xi.max(-1) - xi_hat.max(-1))
    return {
        "sbl": sum(0.5 * (m * error).sum() / (m.sum() + 1e-10) for m in masks),
        "weight": sum(0.5 * m.any(-1) * top for m in masks),
        "crossentropy": -(log_softmax(logits, axis=-1) * true).sum(-1),
        "valid": valid,
    }


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

"""SBAL in float64 NumPy, from the paper's section III.B, and its fixtures."""

import numpy as np
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
# name: (noise, temperature, normalizer), of fixtures/README.md section 1.
CONFIGURATIONS = {
    "lit": (False, 1.0, 1.0),
    "lit_n1": (True, 1.0, 1.0),
    "lit_n05": (True, 0.5, 1.0),
    "const": (False, 1.0, 0.18),
    "const_n1": (True, 1.0, 0.18),
}


def load_case(shared, case):
    """The arrays of a fixture and those of CONFIGURATIONS that it has."""
    data = np.load(shared / f"fixtures/sbal/sbal_{case}.npz")
    names = [n for n in CONFIGURATIONS if f"{n}__xi" in data.files]
    assert "lit" in names
    return data, {name: CONFIGURATIONS[name] for name in names}


def magnitude(maps, normalizer):
    """Gradient magnitude of filtered maps; SciPy's "reflect" is SYMMETRIC."""
    triangle = np.array([1, 2, 3, 4, 5, 4, 3, 2, 1]) / 25
    maps = np.asarray(maps, np.float64)
    for axis in (1, 2):
        maps = correlate1d(maps, triangle, axis, mode="reflect")
    squares = sum(
        correlate1d(maps, [-0.5, 0, 0.5], axis, mode="reflect") ** 2
        for axis in (1, 2)
    )
    return np.sqrt(squares + 1e-6) / normalizer


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

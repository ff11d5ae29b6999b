import numpy as np
import pytest
import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.layers.resize import Resize


def oracle(x, size, align_corners):
    """Bilinear interpolation of one `(h, w)` array, clamped at the frame."""
    positions = []
    for n, m in zip(x.shape, size, strict=True):
        i = np.arange(m)
        if align_corners:
            positions.append(i * (n - 1) / (m - 1))
        else:
            positions.append(np.clip((i + 0.5) * n / m - 0.5, 0, n - 1))
    rows = np.stack([np.interp(positions[0], range(len(c)), c) for c in x.T])
    return np.stack([np.interp(positions[1], range(len(r)), r) for r in rows.T])


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [(9, 13), (17, 16)])
def test_resize_follows_its_convention(align_corners, size):
    x = np.random.default_rng(0).normal(size=(5, 4))
    layer = Resize(size, align_corners)
    y = layer(tf.constant(x[None, :, :, None], tf.float32))
    assert layer.compute_output_shape((1, 5, 4, 1)) == y.shape
    np.testing.assert_allclose(
        y[0, :, :, 0], oracle(x, size, align_corners), atol=1e-6
    )


@pytest.mark.parametrize("size", [(0, 3), (3,), (None, 3), (2.5, 3)])
def test_bad_size_is_refused(size):
    with pytest.raises(UserError, match="^size: "):
        Resize(size)

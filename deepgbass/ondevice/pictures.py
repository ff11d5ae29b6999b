"""The pictures that a benchmark runs on: files, or made-up scenes."""

import numpy as np
from PIL import Image

from deepgbass.errors import UserError

_MADE_UP = 4
_SEED = 0


def load_pictures(paths, size):
    """Pictures at a network's input size.

    Their aspect is not kept: neither times nor agreement depend on it.

    Args:
        paths: of image files; none: scenes of coloured rectangles on a slope
            of brightness, with noise, the same ones at every call.
        size: (height, width).

    Returns:
        list of uint8 `(*size, 3)`.

    Raises:
        UserError: a file is missing or not an image.
    """
    if not paths:
        rng = np.random.default_rng(_SEED)
        return [_scene(rng, size) for _ in range(_MADE_UP)]
    return [_load(path, size) for path in paths]


def _load(path, size):
    try:
        with Image.open(path) as image:
            small = image.convert("RGB").resize(size[::-1])
            return np.asarray(small)
    # Pillow's decoders raise whatever the broken bytes make of them.
    except Exception as error:
        raise UserError(f"{path} is not a readable image: {error}") from None


def _scene(rng, size):
    height, width = size
    slope = np.linspace(200, 60, height)[:, None, None]
    scene = np.broadcast_to(slope, (height, width, 3)).copy()
    for _ in range(12):
        top, left = rng.integers(0, height), rng.integers(0, width)
        bottom = top + rng.integers(1, max(height // 2, 2))
        right = left + rng.integers(1, max(width // 2, 2))
        scene[top:bottom, left:right] = rng.integers(0, 256, 3)
    scene += rng.normal(0, 4, scene.shape)
    return np.clip(scene, 0, 255).astype(np.uint8)

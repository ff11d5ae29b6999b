"""A scene of the embedded data set: drawn, with its label.

Textured shapes overlap on a mottled ground. The classes cannot be told by
colour alone: discs and blobs share warm hues, boxes and rings cool ones, and
texture or outline decides. Poles of 1 to 3 pixels and the holes of
rings make thin structures that a coarse network loses. A bonnet at the bottom
edge, as of a car with a camera, is ignored.

Shapes are signed distances in pixels, negative inside: the label is their
sign at the pixel's centre, the image their coverage, so edges are smooth.
"""

import colorsys

import numpy as np

from deepgbass.data.dataset_info import IGNORE_LABEL

CLASS_NAMES = ("background", "disc", "box", "ring", "blob", "pole")
_BACKGROUND, _DISC, _BOX, _RING, _BLOB, _POLE = range(6)
# Ranges of hue; those of disc and blob overlap, and those of box and ring.
_HUES = {
    _DISC: (0.03, 0.13),
    _BLOB: (-0.04, 0.07),
    _BOX: (0.50, 0.59),
    _RING: (0.54, 0.63),
}


def render_scene(
    rng: np.random.Generator, size
) -> tuple[np.ndarray, np.ndarray]:
    """Draws one scene.

    Args:
        rng: Source of every choice.
        size: Height and width in pixels.

    Returns:
        Image uint8 `(height, width, 3)` RGB and label uint8
        `(height, width)` with the places in `CLASS_NAMES`.
    """
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    image = _ground(rng, x, y)
    label = np.full(size, _BACKGROUND, np.uint8)
    kinds = rng.permutation([_DISC, _BOX, _RING, _BLOB] * 2)
    kinds = [*kinds[: rng.integers(4, 9)], *[_POLE] * rng.integers(1, 4)]
    # A pole may stand behind a shape, but most stand in front.
    if rng.random() < 0.5:
        kinds.insert(rng.integers(len(kinds)), kinds.pop())
    for kind in kinds:
        draw = _DRAW[kind]
        distance, color = draw(rng, x, y)
        _cast_shadow(image, distance)
        cover = np.clip(0.5 - distance, 0, 1)[..., np.newaxis]
        image += cover * (color - image)
        label[distance < 0] = kind
    _light(rng, image, x, y)
    bonnet = np.hypot((x / size[1] - 0.5) / 2.4, y / size[0] - 1.15) < 0.2
    image[bonnet] = 0.13 + 0.1 * (1 - y / size[0])[bonnet, np.newaxis]
    label[bonnet] = IGNORE_LABEL
    image += rng.normal(0, 0.018, image.shape)
    return np.uint8(np.clip(image, 0, 1) * 255 + 0.5), label


def _ground(rng, x, y):
    """A gradient between two pale colours, mottled by plane waves."""
    hue = rng.random()
    top, bottom = (
        _rgb(hue + shift, rng.uniform(0.1, 0.3), rng.uniform(0.55, 0.9))
        for shift in (0, rng.uniform(-0.15, 0.15))
    )
    mix = (y / y.max())[..., np.newaxis]
    image = top * (1 - mix) + bottom * mix
    for _ in range(4):
        angle, period = rng.uniform(0, 2 * np.pi), rng.uniform(12, 40)
        wave = np.sin(
            (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period
            + rng.uniform(0, 2 * np.pi)
        )
        image *= 1 + 0.035 * wave[..., np.newaxis]
    return image


def _frame(rng, x, y):
    """Coordinates about a random centre, turned, and a radius in pixels."""
    height, width = x.shape
    dx = x - rng.uniform(0.05, 0.95) * width
    dy = y - rng.uniform(0.05, 0.85) * height
    angle = rng.uniform(0, np.pi)
    u = dx * np.cos(angle) + dy * np.sin(angle)
    v = dy * np.cos(angle) - dx * np.sin(angle)
    return u, v, rng.uniform(0.11, 0.22) * height


def _disc(rng, x, y):
    """An ellipse with stripes."""
    u, v, radius = _frame(rng, x, y)
    flat = rng.uniform(0.7, 1)
    distance = (np.hypot(u, v / flat) - radius) * flat
    stripes = np.sin(u * 2 * np.pi / rng.uniform(5, 8))
    return distance, _paint(rng, _DISC, 0.24 * stripes)


def _box(rng, x, y):
    """A rectangle with a checkerboard."""
    u, v, radius = _frame(rng, x, y)
    sides = radius * rng.uniform(0.6, 1.1, 2)
    distance = np.maximum(abs(u) - sides[0], abs(v) - sides[1])
    tile = np.pi / rng.uniform(3, 5)
    checks = np.tanh(4 * np.sin(u * tile) * np.sin(v * tile))
    return distance, _paint(rng, _BOX, 0.17 * checks)


def _ring(rng, x, y):
    """An annulus, shaded like a tube; what lies behind shows in its hole."""
    u, v, radius = _frame(rng, x, y)
    thick = rng.uniform(0.2, 0.38) * radius
    across = (np.hypot(u, v) - radius) / thick
    tube = np.cos(np.clip(across + 0.3, -1, 1) * np.pi / 2)
    return (abs(across) - 1) * thick, _paint(rng, _RING, 0.5 * tube - 0.3)


def _blob(rng, x, y):
    """A lobed outline filled with grain."""
    u, v, radius = _frame(rng, x, y)
    turn = np.arctan2(v, u)
    lobes = rng.integers(3, 6)
    outline = 1 + rng.uniform(0.12, 0.28) * np.sin(lobes * turn)
    outline += 0.08 * np.sin(2 * turn + rng.uniform(0, 2 * np.pi))
    distance = np.hypot(u, v) - radius * outline
    half = [-(-side // 2) for side in x.shape]
    grain = rng.normal(0, 1, half).repeat(2, 0).repeat(2, 1)
    grain = grain[: x.shape[0], : x.shape[1]]
    return distance, _paint(rng, _BLOB, 0.14 * grain)


def _pole(rng, x, y):
    """A nearly upright bar, 1 to 3 pixels wide, gray and shaded."""
    height, width = x.shape
    half = rng.uniform(0.5, 1.5)
    tilt = rng.normal(0, 0.12)
    across = x - rng.uniform(0.04, 0.96) * width - tilt * (y - height / 2)
    across *= np.cos(np.arctan(tilt))
    top = rng.uniform(-0.2, 0.4) * height
    distance = np.maximum(abs(across) - half, top - y)
    dark = rng.random() < 0.6
    value = rng.uniform(0.12, 0.35) if dark else rng.uniform(0.8, 0.95)
    color = _rgb(rng.random(), 0.12, value)
    return distance, color * (1 - 0.12 * across / half)[..., np.newaxis]


_DRAW = {_DISC: _disc, _BOX: _box, _RING: _ring, _BLOB: _blob, _POLE: _pole}


def _paint(rng, kind, texture):
    """A colour of the class's hues, its brightness changed by a texture."""
    hue, saturation = rng.uniform(*_HUES[kind]), rng.uniform(0.5, 0.8)
    color = _rgb(hue, saturation, rng.uniform(0.6, 0.9))
    return color * (1 + texture)[..., np.newaxis]


def _rgb(hue, saturation, value):
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _cast_shadow(image, distance):
    """Darkens what lies below and to the right of a shape."""
    shifted = np.pad(distance, ((2, 0), (2, 0)), mode="edge")[:-2, :-2]
    image *= 1 - 0.3 * np.clip(1 - shifted / 3, 0, 1)[..., np.newaxis]


def _light(rng, image, x, y):
    """Brightens one side of the scene."""
    angle = rng.uniform(0, 2 * np.pi)
    slope = x / x.max() * np.cos(angle) + y / y.max() * np.sin(angle)
    image *= 1 + 0.18 * (slope - slope.mean())[..., np.newaxis]

"""Averaging over sizes and mirror images."""

import numpy as np
import pytest
import tensorflow as tf

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.evaluation.multi_scale import (
    MultiScalePredictor,
    probabilities,
    scaled_size,
    tile_starts,
)
from deepgbass.predictors import Predictor

INFO = DatasetInfo("three", ("dark", "left", "bright"))
RNG = np.random.default_rng(0)


class Shades(Predictor):
    """A network at stride 1 that looks at each pixel alone.

    `seen` lists the images that it got.
    """

    def __init__(self, size=(16, 24), **options):
        super().__init__(INFO, size, **options)
        self.seen = []

    def logits(self, image):
        self.seen.append(image)
        grey = tf.cast(image[None, ..., :1], tf.float32) / 64 - 2
        return tf.concat([-grey, 0 * grey, grey], axis=-1)


class Position(Shades):
    """Its second class is stronger the further left a pixel is."""

    def logits(self, image):
        logits = super().logits(image)
        left = tf.linspace(3.0, -3.0, self.size[1])[None, None, :, None]
        return logits * 0 + left * [0.0, 1.0, 0.0]


def noise(*size):
    return RNG.integers(0, 256, (*size, 3), np.uint8)


def soft(image):
    grey = image[..., :1].astype(np.float64) / 64 - 2
    shares = np.exp(np.concatenate([-grey, 0 * grey, grey], axis=-1))
    return shares / shares.sum(-1, keepdims=True)


@pytest.mark.parametrize("size", [(16, 24), (12, 20), (32, 48), (40, 18)])
def test_one_scale_is_the_plain_prediction(size):
    image = noise(*size).repeat(2, 0).repeat(2, 1)[: size[0], : size[1]]
    plain = Shades()(image)
    averaged = MultiScalePredictor(Shades())(image)
    assert averaged.dtype == plain.dtype and averaged.shape == size
    if size[0] <= 16 and size[1] <= 24:
        np.testing.assert_array_equal(averaged, plain)
    # Elsewhere shares are enlarged instead of logits.
    assert (averaged == plain).mean() > 0.9


@pytest.mark.parametrize("size", [(16, 24), (17, 25), (40, 60), (5, 49)])
def test_tiles_show_every_pixel_once_or_averaged(size):
    image = noise(*size)
    network = Shades()
    np.testing.assert_allclose(
        probabilities(network, image), soft(image), atol=1e-5
    )
    rows, columns = -(-size[0] // 16), -(-size[1] // 24)
    assert len(network.seen) == rows * columns


def test_tiles_average_what_depends_on_the_place():
    network = Position((16, 24))
    found = probabilities(network, noise(16, 36))[0, :, 1].numpy()
    strong = np.exp(np.linspace(3, -3, 24))
    shares = strong / (strong + 2)
    expected = np.concatenate(
        [shares[:12], (shares[12:] + shares[:12]) / 2, shares[12:]]
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("tile", [4, 5, 7])
def test_tiles_cover_any_length_and_are_few(tile):
    for length in range(1, 40):
        starts = tile_starts(length, tile)
        covered = {p for s in starts for p in range(s, s + tile)}
        assert covered >= set(range(length)) and starts[0] == 0
        assert len(starts) == -(-length // tile)
        assert len(starts) == 1 or starts[-1] + tile == length


def test_mirroring_averages_both_sides():
    plain = MultiScalePredictor(Position())
    both = MultiScalePredictor(Position(), flip=True)
    image = noise(16, 24)
    labels = plain(image)
    assert (labels[:, :8] == 1).all() and (labels[:, 16:] != 1).all()
    mirrored = both(image)
    np.testing.assert_array_equal(mirrored, mirrored[:, ::-1])
    np.testing.assert_array_equal(both(image[:, ::-1]), mirrored)


def test_a_mirrored_image_is_padded_on_the_same_side():
    network = Shades()
    image = noise(10, 20)
    MultiScalePredictor(network, flip=True)(image)
    np.testing.assert_array_equal(network.seen[1][:10, :20], image[:, ::-1])
    assert (network.seen[1][10:] == 128).all()


def test_probabilities_are_averaged_over_scales():
    # What it says depends on the scale alone, so the mean is known.
    class Constant(Shades):
        def __init__(self, values):
            super().__init__()
            self.values = values

        def logits(self, image):
            return tf.zeros((1, *self.size, 3)) + tf.math.log(self.values)

    shares = {1.0: [0.5, 0.4, 0.1], 2.0: [0.1, 0.4, 0.5]}
    networks = {scale: Constant(values) for scale, values in shares.items()}
    predictor = MultiScalePredictor(
        networks[1.0], (1.0, 2.0), at_scale=networks.get
    )
    assert (predictor(noise(16, 24)) == 1).all()
    assert (networks[1.0](noise(16, 24)) == 0).all()


@pytest.mark.parametrize("scale", [0.5, 1.5])
@pytest.mark.parametrize("rebuilt", [True, False])
def test_an_edge_stays_where_it_is(scale, rebuilt):
    image = np.zeros((16, 24, 3), np.uint8)
    image[:, 12:] = 255
    networks = []

    def at_scale(factor):
        networks.append(Shades(scaled_size((16, 24), factor, 8)))
        return networks[-1]

    base = Shades()
    predictor = MultiScalePredictor(
        base, (scale,), flip=True, at_scale=at_scale if rebuilt else None
    )
    labels = predictor(image)
    np.testing.assert_array_equal(labels[:, 13:], 2)
    np.testing.assert_array_equal(labels[:, :11], 0)
    if rebuilt:
        assert not base.seen and len(networks[0].seen) == 2
    else:
        assert len(base.seen) == (2 if scale < 1 else 8)


def test_a_larger_scale_sees_the_details_of_the_original():
    # Halved to fit, stripes are grey; at scale 2 the tiles show them.
    image = np.zeros((32, 48, 3), np.uint8)
    image[:, ::2] = 255
    network = Shades()
    MultiScalePredictor(network, (2.0,))(image)
    assert set(np.unique(network.seen[0])) == {0, 255}


def test_sizes_are_whole_strides_and_have_room():
    assert scaled_size((368, 480), 0.75, 16) == (288, 368)
    assert scaled_size((512, 1024), 1.25, 16) == (640, 1280)
    assert scaled_size((64, 64), 0.1, 32) == (64, 64)


def test_models_of_labels_and_nan_are_refused():
    network = Shades()
    network.output = "labels"
    with pytest.raises(UserError, match="gives labels, and only logits"):
        MultiScalePredictor(network)

    class Broken(Shades):
        def logits(self, image):
            return super().logits(image) * np.nan

    with pytest.raises(UserError, match="not finite"):
        MultiScalePredictor(Broken())(noise(4, 4))

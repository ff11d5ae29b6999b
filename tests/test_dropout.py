import numpy as np
import pytest

from deepgbass.keras_api import keras
from deepgbass.layers.dropout import DropoutSeed

ONES = np.ones((4, 6, 6, 5), np.float32)


@pytest.fixture(scope="module")
def network():
    x = image = keras.Input((6, 6, 5))
    first = keras.layers.Dropout(0.25)(x)
    second = keras.layers.Dropout(0.25)(x)
    model = keras.Model(image, [first, second])
    return model, DropoutSeed(model)


def masks(network, seed, images=ONES):
    model, dropout = network
    with dropout.of(seed):
        return [x.numpy() for x in model(images, training=True)]


def test_the_mask_follows_the_seed(network):
    one, same, other = (
        masks(network, seed) for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(one, same)
    assert (one[0] != other[0]).any()


def test_layers_draw_apart(network):
    first, second = masks(network, (1, 2))
    assert (first != second).mean() > 0.2


def test_a_part_of_a_batch_has_the_masks_of_its_place(network):
    whole = masks(network, (1, 2))[0]
    part = masks(network, (1, 2, 3), ONES[3:])[0]
    np.testing.assert_array_equal(part, whole[3:])


def test_the_share_and_the_mean_are_those_of_dropout(network):
    values = masks(network, (1, 2), np.ones((40, 6, 6, 5), np.float32))[0]
    assert set(np.unique(values)) == {0, np.float32(4 / 3)}
    assert (values == 0).mean() == pytest.approx(0.25, abs=0.03)


def test_without_a_seed_every_call_draws_anew(network):
    masks(network, (1, 2))
    model, _ = network
    draws = [model(ONES, training=True)[0].numpy() for _ in range(2)]
    assert (draws[0] != draws[1]).any()
    np.testing.assert_array_equal(model(ONES, training=False)[0], ONES)

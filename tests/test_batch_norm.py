import re

import numpy as np
import pytest
from small_network import small_batch, small_config, small_network

from deepgbass.training.batch_norm import (
    MovingStatistics,
    averaging_over,
    batch_norm_warning,
    batch_norms,
    freeze_batch_norm,
)

IMAGES, _ = small_batch()


def statistics(model):
    norms = batch_norms(model)
    return np.array([(n.moving_mean, n.moving_variance) for n in norms])


def test_held_statistics_stay_and_the_output_does_not_change():
    model = small_network(dropout=0)
    moving = MovingStatistics(model)
    before = statistics(model)
    with moving.held():
        held = model(IMAGES, training=True).numpy()
    np.testing.assert_array_equal(statistics(model), before)
    free = model(IMAGES, training=True).numpy()
    np.testing.assert_array_equal(held, free)
    assert (statistics(model) != before).any(axis=-1).all()


def test_micro_batches_together_decay_like_one_batch():
    parts, whole = small_network(), small_network()
    with averaging_over(parts, 4):
        for _ in range(4):
            parts(IMAGES, training=True)
    whole(IMAGES, training=True)
    np.testing.assert_allclose(
        statistics(parts), statistics(whole), rtol=1e-5, atol=1e-6
    )
    assert {norm.momentum for norm in batch_norms(parts)} == {0.5}


def test_frozen_batch_norm_is_that_of_inference():
    model = small_network(dropout=0)
    freeze_batch_norm(model)
    before = statistics(model)
    np.testing.assert_array_equal(
        model(IMAGES, training=True), model(IMAGES, training=False)
    )
    np.testing.assert_array_equal(statistics(model), before)
    names = {w.name.split("/")[0] for w in model.trainable_variables}
    assert names == {"Conv", "expanded_conv", "aspp0", "logits"}


@pytest.mark.parametrize(
    "fields, replicas, images",
    [
        ({"batch_size": 4}, 1, None),
        ({"batch_size": 3}, 1, "3 images at a time,"),
        ({"batch_size": 4, "accumulate": 4}, 1, "1 image at a time,"),
        # Statistics are those of all replicas.
        ({"batch_size": 4}, 4, None),
        ({"batch_size": 4, "accumulate": 2}, 2, "2 images .* on 2 devices"),
        ({"batch_size": 1, "freeze_batch_norm": True}, 1, None),
    ],
)
def test_too_few_images_are_told(fields, replicas, images):
    warning = batch_norm_warning(small_config(**fields), replicas)
    if images is None:
        assert warning is None
    else:
        assert re.search(images, warning) and "\n" not in warning

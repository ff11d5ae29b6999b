import numpy as np
import pytest
import tensorflow as tf
from small_network import small_batch, small_network

from deepgbass.layers.dropout import DropoutSeed
from deepgbass.models import build_model
from deepgbass.training.batch_norm import MovingStatistics
from deepgbass.training.recompute import RecomputedNetwork


@pytest.mark.parametrize("as_graph", [False, True])
def test_gradients_and_moving_statistics_are_those_of_the_network(as_graph):
    images, _ = small_batch()
    results = []
    for recomputes in (False, True):
        model = small_network()
        dropout, statistics = DropoutSeed(model), MovingStatistics(model)
        network = (
            RecomputedNetwork(model)
            if recomputes
            else lambda x, model=model: model(x, training=True)
        )

        def compute(
            model=model, network=network, dropout=dropout, moving=statistics
        ):
            with dropout.of((1, 2)):
                with tf.GradientTape() as tape:
                    value = tf.reduce_sum(network(images) ** 2)
                with moving.held():
                    return tape.gradient(value, model.trainable_variables)

        if as_graph:
            compute = tf.function(compute, autograph=False)
        results.append([g.numpy() for g in compute()] + model.get_weights())
    for got, expected in zip(*results, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_every_layer_is_in_one_segment_and_few_tensors_pass():
    model = build_model(
        decoder_channels=8,
        num_classes=3,
        input_shape=(48, 64, 3),
        depth_multiplier=0.1,
        aspp_channels=8,
    )
    segments = RecomputedNetwork(model)._segments
    nodes = [node for nodes, _ in segments for node in nodes]
    assert len(nodes) == len(set(map(id, nodes))) == len(model.layers) - 1
    assert len(segments) > 3
    assert max(len(kept) for _, kept in segments) <= 3

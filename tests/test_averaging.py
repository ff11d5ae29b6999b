import numpy as np
import tensorflow as tf
from small_network import small_network

from deepgbass.training.averaging import WeightAverage


def test_it_is_the_exponential_average_of_the_weights():
    model = small_network()
    average = WeightAverage(model, 0.6)
    expected = [w.astype(float) for w in model.get_weights()]
    rng = np.random.default_rng(0)
    for step in range(1, 9):
        weights = [rng.normal(size=w.shape) for w in expected]
        model.set_weights(weights)
        average.update(step)
        decay = min(0.6, (1 + step) / (10 + step))
        expected = [
            decay * e + (1 - decay) * w
            for e, w in zip(expected, weights, strict=True)
        ]
    average.apply()
    # Moving statistics too.
    assert any("moving" in w.name for w in model.weights)
    for got, wanted in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


def test_it_survives_a_checkpoint(tmp_path):
    model = small_network()
    average = WeightAverage(model, 0.5)
    model.set_weights([w + 1 for w in model.get_weights()])
    average.update(1)
    saved = tf.train.Checkpoint(model=model, average=average)
    path = saved.write(str(tmp_path / "one"))
    other = small_network()
    # Frozen since: the weights' order is the same.
    other.get_layer("Conv_bn").trainable = False
    restored = WeightAverage(other, 0.5)
    status = tf.train.Checkpoint(model=other, average=restored).read(path)
    status.assert_consumed()
    average.apply()
    restored.apply()
    for got, wanted in zip(
        other.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)

import numpy as np
import pytest
from small_network import small_network, trained

from deepgbass.keras_api import keras
from deepgbass.training.precision import network_precision


def test_the_policy_does_not_leak():
    with pytest.raises(KeyError), network_precision("mixed_bfloat16"):
        assert keras.mixed_precision.global_policy().name == "mixed_bfloat16"
        raise KeyError
    assert keras.mixed_precision.global_policy().name == "float32"


@pytest.mark.parametrize("name", ["mixed_bfloat16", "mixed_float16"])
def test_activations_are_16_bits_and_weights_and_logits_32(name):
    with network_precision(name):
        model = small_network()
    assert model.get_layer("Conv").compute_dtype == name.split("_")[1]
    assert {w.dtype.name for w in model.weights} == {"float32"}
    assert model.output.dtype == "float32"


@pytest.mark.parametrize("name", ["mixed_bfloat16", "mixed_float16"])
def test_a_step_is_near_that_of_float32(name):
    exact, (expected,) = trained(1, optimizer="sgd")
    model, (parts,) = trained(1, optimizer="sgd", precision=name)
    assert parts["total"] == pytest.approx(expected["total"], rel=0.01)
    norm = expected["gradient_norm"]
    assert parts["gradient_norm"] == pytest.approx(norm, rel=0.05)
    for got, wanted in zip(
        model.trainable_variables, exact.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(got, wanted, atol=0.02 * 0.1 * norm)
    assert parts.get("finite") == (1 if name == "mixed_float16" else None)

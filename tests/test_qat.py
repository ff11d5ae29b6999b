"""The network under rounding is the float one, and int8 is what it was."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from guided_network import SIZE, guided_network, images

from deepgbass.errors import UserError
from deepgbass.export.graph import constant_graph, export_graph, scale_bytes
from deepgbass.export.qat import (
    activation_ranges,
    convert_quantized,
    float_network,
    quantized_network,
)
from deepgbass.export.sqnr import measure_sqnr
from deepgbass.export.tflite import to_float, to_int8, verify_int8
from deepgbass.export.tflite_reader import read_graph
from deepgbass.ondevice.model import as_input
from deepgbass.predictors import dequantize
from deepgbass.training.precision import network_precision

IMAGES = images()


@pytest.fixture(scope="module")
def model():
    return guided_network()


@pytest.fixture(scope="module")
def ranges(model):
    return activation_ranges(model, iter(IMAGES))


@pytest.fixture(scope="module")
def network(model, ranges):
    return quantized_network(model, ranges)


@pytest.fixture(scope="module")
def content(network):
    return convert_quantized(network)


def test_what_is_trained_is_what_the_float_network_trains(model, network):
    expected = {v.name: v for v in model.trainable_variables}
    found = {v.name: v for v in network.trainable_variables}
    # No kernel of a box filter, no range.
    assert set(found) == set(expected)
    for name, variable in found.items():
        np.testing.assert_array_equal(variable, expected[name])


def test_training_holds_the_moving_statistics(network):
    before = [v.numpy() for v in network.non_trainable_variables]
    x = scale_bytes(IMAGES[:1])
    trained = network(x, training=True)
    np.testing.assert_array_equal(trained, network(x, training=False))
    for old, variable in zip(
        before, network.non_trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(old, variable)


def test_pixels_give_what_their_bytes_give(model, ranges, network):
    batched = guided_network(batch_size=None)
    pixels = quantized_network(batched, ranges, pixels=True)
    found = pixels(IMAGES.astype(np.float32), training=True)
    expected = [network(scale_bytes(i[None]))[0] for i in IMAGES]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_int8_has_the_operators_of_post_training_quantisation(model, content):
    verify_int8(content)
    found, expected = (
        [op.name for op in read_graph(c).operators]
        for c in (content, to_int8(to_float(export_graph(model)), IMAGES))
    )
    assert sorted(found) == sorted(expected)
    assert "QUANTIZE" not in found


@pytest.mark.slow
def test_int8_computes_what_was_trained(network, content):
    found = run(content, IMAGES)
    expected = np.concatenate(
        [network(scale_bytes(i[None]), training=False) for i in IMAGES]
    )
    error = np.sum((found - expected) ** 2)
    assert 10 * np.log10(np.sum(expected**2) / error) > 30


@pytest.mark.slow
def test_labels_and_bytes_are_served(network, content):
    labels = convert_quantized(network, "labels", "uint8")
    verify_int8(labels, "labels")
    found = run(labels, IMAGES)
    assert found.dtype == np.int32
    agreement = found == np.argmax(run(content, IMAGES), axis=-1)
    assert np.mean(agreement) > 0.99


def run(content, images):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    (result,) = interpreter.get_output_details()
    found = []
    for image in images:
        values = as_input(image[None], source["dtype"])
        interpreter.set_tensor(source["index"], values)
        interpreter.invoke()
        found.append(interpreter.get_tensor(result["index"]))
    found = np.concatenate(found)
    return found if found.dtype == np.int32 else dequantize(found, result)


@pytest.mark.slow
def test_without_rounding_it_is_the_float_network_of_its_variables(
    model, ranges
):
    tuned = quantized_network(model, ranges)
    image = scale_bytes(IMAGES[:1])
    expected = model(IMAGES[:1].astype(np.float32))
    found = float_network(tuned, model)(image, training=False)
    # The folded offset shows at the frame.
    error = np.abs(found - expected)[:, 2:-2, 2:-2].max()
    assert error < 1e-2 * np.std(expected)

    rng = np.random.default_rng(0)
    for variable in tuned.trainable_variables:
        variable.assign(variable * rng.uniform(0.8, 1.2, variable.shape))
    plain = float_network(tuned, model)
    trained = {v.name: v for v in tuned.trainable_variables}
    for variable in plain.trainable_variables:
        np.testing.assert_array_equal(variable, trained.pop(variable.name))
    assert not trained
    # What int8 is measured against; the checkpoint's network gives 18 dB.
    table = measure_sqnr(
        to_float(constant_graph(plain)),
        convert_quantized(tuned),
        scale_bytes(IMAGES),
    )
    assert not table.unmatched
    assert table.rows[-1].db > 24


def test_mixed_precision_is_refused(ranges):
    with network_precision("mixed_bfloat16"):
        mixed = guided_network()
    with pytest.raises(UserError, match=r"float32, and \w+ computes in bfloat"):
        quantized_network(mixed, ranges)


def test_ranges_of_another_network_are_refused(model, ranges):
    fewer = {k: v for k, v in ranges.items() if k != "logits"}
    with pytest.raises(UserError, match="ranges are of another network"):
        quantized_network(model, fewer)


def test_ranges_hold_what_the_network_gives(model, ranges):
    assert ranges["decoder_guided_bound"] == (-1, 127 / 128)
    assert ranges["feature_relu"] == ranges["pooled"]
    low, high = ranges["logits"]
    logits = np.concatenate([model(i[None].astype(np.float32)) for i in IMAGES])
    assert low < 0 < high
    assert logits.min() <= low < 0.5 * logits.min()
    assert 0.5 * logits.max() < high <= logits.max()
    assert model.input_shape == (1, *SIZE, 3)

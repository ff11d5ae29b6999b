"""Limits of single kinds of operators, each on operators of its own."""

import numpy as np
import pytest
from judged import binary, judged, unary, with_list
from tflite_files import Builder

from deepgbass.export.op_judgement import (
    TOO_LARGE,
)
from deepgbass.export.op_rules import judge_all
from deepgbass.export.tflite_reader import read_graph


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ((1, 8, 8, 4), "mapped"),
        ((8, 8, 4), "mapped"),
        ((1, 1, 1, 4), "mapped"),
        ((4,), "mapped"),
        ((), "mapped"),
        ((1, 8, 8, 1), "uncertain"),
        ((1, 8, 1, 4), "mapped"),
        ((1, 1, 8, 4), "mapped"),
        ((1, 8, 1, 1), "uncertain"),
    ],
)
@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"])
def test_broadcasting(name, other, verdict):
    assert binary(name, other, constant=True).verdict == verdict


def test_squares_and_their_differences_are_mapped():
    b = Builder()
    source = b.image()
    b.op("MUL", [source, source], [b.tensor((1, 8, 8, 4))])
    assert judged(b).verdict == "mapped"
    assert binary("SQUARED_DIFFERENCE", (1, 8, 8, 4)).verdict == "mapped"


def test_an_addition_behind_a_padding_is_uncertain():
    b = Builder()
    padded = b.tensor((1, 16, 20, 16))
    pads = b.tensor((4, 2), "int32", [[0, 0], [1, 0], [0, 0], [0, 0]])
    b.op("PAD", [b.image(1, 15, 20, 16), pads], [padded])
    b.op("ADD", [padded, b.image(1, 16, 20, 16)], [b.tensor((1, 16, 20, 16))])
    pad, add = judge_all(read_graph(b.content()))
    assert (pad.verdict, add.verdict) == ("mapped", "uncertain")


def test_a_product_of_split_parts_is_uncertain():
    b = Builder()
    parts = [b.tensor((1, 8, 8, 2)), b.tensor((1, 8, 8, 2))]
    b.op("SPLIT", [b.tensor((), "int32", 3), b.image()], parts)
    b.op("MUL", parts, [b.tensor((1, 8, 8, 2))])
    split, product = judge_all(read_graph(b.content()))
    assert (split.verdict, product.verdict) == ("mapped", "uncertain")


def test_splitting_the_batch_is_refused():
    b = Builder()
    parts = [b.tensor((1, 4)), b.tensor((1, 4))]
    b.op("SPLIT", [b.tensor((), "int32", 0), b.image(2, 4)], parts)
    assert judged(b).verdict == "cpu"


def concatenated(*constants, activation=True, fused=0):
    b = Builder()
    parts = [b.image(1, 8, 8, 4)] if activation else []
    parts += [b.tensor((1, 8, 8, 4), values=v) for v in constants]
    b.op(
        "CONCATENATION",
        parts,
        [b.tensor((1, 8, 8, 4 * len(parts)))],
        options=(
            "ConcatenationOptions",
            {"axis": 3, "fusedActivationFunction": fused},
        ),
    )
    return judged(b).verdict


def test_concatenations():
    assert concatenated() == "mapped"
    assert concatenated(fused=1) == "cpu"
    assert concatenated(0) == "mapped"
    assert concatenated(3) == "mapped"  # the tensors' zero point
    assert concatenated(1) == "cpu"
    assert concatenated(0, 0) == "cpu"


def dense(rows, version=4, **options):
    b = Builder()
    weights = b.tensor(
        (8, 16),
        values=1,
        quantization=None,
    )
    b.op(
        "FULLY_CONNECTED",
        [b.image(rows, 16), weights, -1],
        [b.tensor((rows, 8))],
        version=version,
        options=("FullyConnectedOptions", options),
    )
    return judged(b).verdict


def test_fully_connected():
    assert dense(1) == "mapped"
    assert dense(3) == "cpu"
    assert dense(1, weightsFormat=1) == "cpu"
    assert dense(1, version=10) == "fatal"


def test_per_channel_weights_are_mapped():
    from ai_edge_litert import schema_py_generated as schema

    scales = schema.QuantizationParametersT()
    scales.scale, scales.zeroPoint = [0.1] * 8, [0] * 8
    b = Builder()
    weights = b.tensor((8, 16), values=1, quantization=scales)
    b.op(
        "FULLY_CONNECTED",
        [b.image(1, 16), weights],
        [b.tensor((1, 8))],
        version=4,
    )
    assert judged(b).verdict == "mapped"


@pytest.mark.parametrize(
    ("shape", "verdict"),
    [
        ((1, 1001), "mapped"),
        ((1, 16384), "mapped"),
        ((1, 16385), "uncertain"),
        ((8, 10), "uncertain"),
    ],
)
def test_softmax(shape, verdict):
    assert unary("SOFTMAX", shape).verdict == verdict


@pytest.mark.parametrize(
    ("dtype", "version", "verdict"),
    [("uint8", 1, "mapped"), ("uint8", 2, "uncertain")]
    + [("int8", 1, "uncertain"), ("int8", 3, "fatal"), ("uint8", 3, "fatal")],
)
def test_tiles(dtype, version, verdict):
    b = Builder()
    source = b.image(1, 1, 1, 8, dtype=dtype)
    output = b.tensor((1, 33, 33, 8), dtype)
    b.op("TILE", [source, b.ints(1, 33, 33, 1)], [output], version=version)
    assert judged(b).verdict == verdict


def test_reshapes_of_more_than_a_megabyte_are_uncertain():
    shape = (1, 128, 128, 64)
    assert with_list("RESHAPE", (1, -1), shape, (1, 2**20)).verdict == "mapped"
    larger = (1, 128, 128, 65)
    found = with_list("RESHAPE", (1, -1), larger, (1, 65 * 2**14))
    assert found.verdict == "uncertain"


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((1, 1, 1, 9), (1, 9), "mapped"),
        ((1, 1, 8, 9), (8, 9), "mapped"),
        ((1, 8, 1, 9), (1, 8, 9), "cpu"),
    ],
)
def test_squeezes(before, after, verdict):
    assert unary("SQUEEZE", before, after).verdict == verdict


@pytest.mark.parametrize("name", ["RSQRT", "TRANSPOSE", "LSTM"])
def test_what_no_log_settles_is_uncertain(name):
    assert unary(name).verdict == "uncertain"


def test_transposed_convolutions_are_uncertain():
    b = Builder()
    size, weights = b.ints(1, 16, 16, 4), b.tensor((4, 2, 2, 4), values=1)
    output = b.tensor((1, 16, 16, 4))
    b.op("TRANSPOSE_CONV", [size, weights, b.image()], [output], version=3)
    assert judged(b).verdict == "uncertain"


def sliced(steps, **options):
    b = Builder()
    lists = [b.ints(0, 0, 0, 0), b.ints(1, 4, 4, 4), b.ints(*steps)]
    b.op(
        "STRIDED_SLICE",
        [b.image(), *lists],
        [b.tensor((1, 4, 4, 4))],
        options=("StridedSliceOptions", options),
    )
    return judged(b).verdict


def test_slices():
    assert sliced((1, 1, 1, 1)) == "mapped"
    assert sliced((1, 2, 2, 1)) == "cpu"
    assert sliced((1, 1, 1, 1), ellipsisMask=1) == "cpu"
    assert sliced((1, 1, 1, 1), newAxisMask=2) == "cpu"
    b = Builder()
    begin, size = b.ints(0, 0, 0, 0), b.ints(1, 4, 4, 4)
    b.op("SLICE", [b.image(), begin, size], [b.tensor((1, 4, 4, 4))])
    assert judged(b).verdict == "mapped"


def test_packs_and_pads_leave_the_batch_alone():
    for axis, verdict in (
        (0, "cpu"),
        (-3, "cpu"),
        (1, "mapped"),
        (-2, "mapped"),
    ):
        b = Builder()
        shape = (2, 1, 4) if verdict == "cpu" else (1, 2, 4)
        b.op(
            "PACK",
            [b.image(1, 4), b.image(1, 4)],
            [b.tensor(shape)],
            options=("PackOptions", {"axis": axis, "valuesCount": 2}),
        )
        assert judged(b).verdict == verdict
    for row, verdict in ((0, "cpu"), (1, "mapped")):
        b = Builder()
        pads = np.zeros((4, 2), np.int32)
        pads[row] = 1
        output = np.array([1, 8, 8, 4]) + pads.sum(1)
        pads = b.tensor((4, 2), "int32", pads)
        b.op("PAD", [b.image(), pads], [b.tensor(output.tolist())])
        assert judged(b).verdict == verdict


@pytest.mark.parametrize(
    ("slopes", "verdict"), [((1, 1, 4), "mapped"), ((8, 8, 4), "cpu")]
)
def test_prelu_slopes_are_one_a_channel(slopes, verdict):
    assert binary("PRELU", slopes, constant=True).verdict == verdict


def test_a_unidirectional_lstm_is_mapped():
    b = Builder()
    weights = [b.tensor((16, 28), values=1) for _ in range(8)]
    biases = [b.tensor((16,), "int32", 0) for _ in range(4)]
    state = b.tensor((1, 16), isVariable=True)
    cell = b.tensor((1, 16), "int16", isVariable=True)
    inputs = [b.image(1, 28, 28), *weights, -1, -1, -1, *biases, -1, -1]
    b.op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [*inputs, state, cell],
        [b.tensor((1, 28, 16))],
    )
    assert judged(b).verdict == "mapped"


def test_an_activation_larger_than_any_mapped_one_is_uncertain():
    assert unary("RELU", (1, 361, 641, 48)).verdict == "mapped"
    found = unary("RELU", (1, 512, 512, 151))
    assert (found.verdict, found.status) == ("uncertain", TOO_LARGE)


def test_missing_options_and_inputs_are_no_fault():
    b = Builder()
    weights = b.tensor((4, 1, 1, 4), values=1)
    b.op("CONV_2D", [b.image(), weights], [b.tensor((1, 8, 8, 4))])
    assert judged(b).verdict == "mapped"
    for name in ("CONV_2D", "MEAN", "SPLIT", "CONCATENATION", "RESHAPE"):
        b = Builder()
        b.op(name, [], [b.tensor((1, 8, 8, 4))])
        assert judged(b).verdict == "cpu"

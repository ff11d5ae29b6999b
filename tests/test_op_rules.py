"""Rules of the Edge TPU preflight that hold for all kinds of operators."""

import pytest
from judged import convolution, judged, unary
from tflite_files import Builder

from deepgbass.export.op_judgement import (
    DATA_TYPE,
    NOT_CONSTANT,
    NOT_SUPPORTED,
    RANK,
    UNSPECIFIED,
)
from deepgbass.export.op_versions import ceiling


# What published pairs of models, or Google's table, show to be mapped.
@pytest.mark.parametrize(
    "name",
    ["LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1", "L2_NORMALIZATION"]
    + ["QUANTIZE"],
)
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_operators_without_limits_are_mapped(name, dtype):
    assert unary(name, dtype=dtype).verdict == "mapped"


@pytest.mark.parametrize(
    "name",
    [
        *("DIV", "SQRT", "EXP", "GATHER", "LEAKY_RELU", "HARD_SWISH", "SQUARE"),
        *("DEPTH_TO_SPACE", "BROADCAST_TO", "MIRROR_PAD", "CAST", "SPLIT_V"),
        *("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "FLOOR_DIV", "PADV2"),
        "BIDIRECTIONAL_SEQUENCE_LSTM",
    ],
)
def test_operators_outside_the_table_are_not(name):
    judgement = unary(name)
    assert (judgement.verdict, judgement.status) == ("cpu", NOT_SUPPORTED)
    assert judgement.remedy


def test_custom_operators_are_not():
    b = Builder()
    b.unary("CUSTOM", b.image(), custom="PosenetDecoderOp")
    judgement = judged(b)
    assert (judgement.verdict, judgement.status) == ("cpu", NOT_SUPPORTED)


# The whole table of edgetpu.md 2.1, once more and in its order.
TABLE = """ABS 4, ADD 4, ARG_MAX 2, AVERAGE_POOL_2D 3, BATCH_MATMUL 4,
BATCH_TO_SPACE_ND 3, BROADCAST_ARGS 1, BROADCAST_TO 3, CAST 1, CONCATENATION 3,
CONV_2D 5, DEPTHWISE_CONV_2D 6, DEPTH_TO_SPACE 2, DEQUANTIZE 4, DIV 2, EXP 1,
EXPAND_DIMS 1, FILL 3, FLOOR_DIV 2, FULLY_CONNECTED 9, GATHER 5, GATHER_ND 3,
HARD_SWISH 1, L2_NORMALIZATION 2, LEAKY_RELU 2, LOG 1, LOGISTIC 3, MAXIMUM 4,
MAX_POOL_2D 3, MEAN 3, MINIMUM 4, MIRROR_PAD 2, MUL 5, NEG 1, PACK 3, PAD 4,
PADV2 4, PRELU 1, QUANTIZE 2, REDUCE_MAX 3, REDUCE_MIN 3, RELU 3, RELU6 3,
RELU_N1_TO_1 1, RESHAPE 1, RESIZE_BILINEAR 4, RESIZE_NEAREST_NEIGHBOR 4,
RSQRT 2, SHAPE 1, SLICE 5, SOFTMAX 3, SPACE_TO_BATCH_ND 3, SPACE_TO_DEPTH 2,
SPLIT 4, SPLIT_V 2, SQRT 1, SQUARE 1, SQUARED_DIFFERENCE 2, SQUEEZE 2,
STRIDED_SLICE 6, SUB 5, SUM 2, TANH 3, TILE 2, TRANSPOSE 5, TRANSPOSE_CONV 3,
UNIDIRECTIONAL_SEQUENCE_LSTM 3, UNPACK 4"""


@pytest.mark.parametrize("row", [row.split() for row in TABLE.split(",")])
def test_versions_above_the_ceiling_end_the_compilation(row):
    name, highest = row[0], int(row[1])
    assert ceiling(name, 0) == highest
    too_new = unary(name, version=highest + 1)
    assert too_new.verdict == "fatal"
    assert too_new.status == (
        f"Didn't find op for builtin opcode '{name}' version '{highest + 1}'"
    )
    assert unary(name, version=highest).verdict != "fatal"


def test_operators_younger_than_the_compiler_end_the_compilation():
    assert unary("GELU").verdict == "fatal"
    assert unary("CUMSUM").verdict == "cpu"


@pytest.mark.parametrize("name", ["CONV_2D", "RESHAPE", "ADD", "DEQUANTIZE"])
@pytest.mark.parametrize("dtype", ["float32", "int16", "int32"])
def test_other_numbers_than_bytes_are_an_unsupported_type(name, dtype):
    judgement = unary(name, dtype=dtype)
    assert (judgement.verdict, judgement.status) == ("cpu", DATA_TYPE)


def test_an_argmax_is_an_unsupported_type():
    b = Builder()
    out = b.tensor((1, 8, 8), "int64")
    b.op("ARG_MAX", [b.image(), b.tensor((), "int32", 3)], [out])
    judgement = judged(b)
    assert (judgement.verdict, judgement.status) == ("cpu", DATA_TYPE)
    assert "host" in judgement.remedy


def test_quantising_floats_and_dequantising_stay_on_the_cpu():
    b = Builder()
    b.unary("QUANTIZE", b.image(1, 8, dtype="float32"), dtype="int8")
    assert (judged(b).verdict, judged(b).status) == ("cpu", UNSPECIFIED)
    b = Builder()
    b.unary("DEQUANTIZE", b.image(1, 8), dtype="float32")
    assert judged(b).status == DATA_TYPE
    b = Builder()
    b.unary("QUANTIZE", b.image(1, 8, dtype="uint8"), dtype="int8", version=2)
    assert judged(b).verdict == "mapped"


def test_float_weights_are_an_unsupported_type():
    b = Builder()
    weights = b.tensor((4, 1, 1, 4), "float32", 1)
    b.op("CONV_2D", [b.image(), weights], [b.tensor((1, 8, 8, 4))])
    assert judged(b).status == DATA_TYPE


@pytest.mark.parametrize("shape", [(2, 8, 8, 4), (1, 2, 8, 8, 4)])
def test_at_most_three_innermost_sizes(shape):
    judgement = unary("RELU", shape)
    assert (judgement.verdict, judgement.status) == ("cpu", RANK)


@pytest.mark.parametrize("shape", [(1, 1, 8, 8, 4), (8, 8, 4), (8, 4), (1, 4)])
def test_leading_ones_do_not_count(shape):
    assert unary("RELU", shape).verdict == "mapped"


def test_computed_parameters_are_refused():
    computed = convolution(
        "CONV_2D", (1, 8, 8, 4), (4, 1, 1, 4), (1, 8, 8, 4), constant=False
    )
    assert (computed.verdict, computed.status) == ("cpu", NOT_CONSTANT)
    b = Builder()
    shape = b.image(2, dtype="int32")
    b.op("RESHAPE", [b.image(), shape], [b.tensor((1, 256))])
    assert judged(b).status == NOT_CONSTANT

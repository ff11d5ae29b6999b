"""Each rule of the Edge TPU preflight, on operators of its own."""

import numpy as np
import pytest
from tflite_files import Builder

from deepgbass.export.op_judgement import (
    DATA_TYPE,
    NOT_CONSTANT,
    NOT_SUPPORTED,
    RANK,
    TOO_LARGE,
    UNSPECIFIED,
)
from deepgbass.export.op_rules import judge_all
from deepgbass.export.op_versions import ceiling
from deepgbass.export.tflite_graph import read_graph


def judged(builder):
    """The judgement of a builder's last operator."""
    return judge_all(read_graph(builder.content()))[-1]


def unary(name, shape=(1, 8, 8, 4), output=None, dtype="int8", **fields):
    b = Builder()
    b.unary(name, b.image(*shape, dtype=dtype), output, **fields)
    return judged(b)


def with_list(name, values, shape=(1, 8, 8, 4), output=None, **fields):
    """An operator whose second input is a list of integers."""
    b = Builder()
    out = b.tensor(output or shape, fields.pop("dtype", "int8"))
    b.op(name, [b.image(*shape), b.ints(*values)], [out], **fields)
    return judged(b)


def binary(name, other, shape=(1, 8, 8, 4), constant=False):
    b = Builder()
    source = b.image(*shape)
    second = b.tensor(other, values=1) if constant else b.image(*other)
    b.op(name, [source, second], [b.tensor(shape)])
    return judged(b)


def resize(before, after, name="RESIZE_BILINEAR", version=3, **options):
    b = Builder()
    kind = {
        "RESIZE_BILINEAR": "ResizeBilinearOptions",
        "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    }[name]
    b.op(
        name,
        [b.image(1, *before, 4), b.ints(*after)],
        [b.tensor((1, *after, 4))],
        version=version,
        options=(kind, options),
    )
    return judged(b)


def convolution(name, source, kernel, output, constant=True, **options):
    kinds = {
        "CONV_2D": "Conv2DOptions",
        "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    }
    b = Builder()
    weights = b.tensor(kernel, values=1) if constant else b.image(*kernel)
    b.op(
        name,
        [b.image(*source), weights, b.tensor([output[-1]], "int32", 0)],
        [b.tensor(output)],
        options=(kinds[name], options),
    )
    return judged(b)


def pool(size, after, padding=1, name="AVERAGE_POOL_2D", fused=0, stride=None):
    b = Builder()
    options = {
        "filterHeight": size,
        "filterWidth": size,
        "strideH": stride or size,
        "strideW": stride or size,
        "padding": padding,
        "fusedActivationFunction": fused,
    }
    before = after * (stride or size)
    source = b.image(1, before, before, 4)
    output = b.tensor((1, after, after, 4))
    b.op(name, [source], [output], options=("Pool2DOptions", options))
    return judged(b)


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


@pytest.mark.parametrize(
    ("kernel", "output"),
    [
        ((1, 3, 3, 4), (1, 8, 8, 4)),
        ((1, 7, 7, 32), (1, 8, 8, 32)),  # depth multiplier 8
    ],
)
def test_depthwise_convolutions_are_mapped(kernel, output):
    name = "DEPTHWISE_CONV_2D"
    found = convolution(name, (1, 8, 8, 4), kernel, output)
    assert found.verdict == "mapped"


@pytest.mark.parametrize(
    ("rows", "columns", "verdict"),
    [(1, 1, "mapped"), (2, 2, "mapped"), (2, 1, "cpu")]
    + [(3, 3, "uncertain"), (6, 6, "uncertain")],
)
@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_dilation(name, rows, columns, verdict):
    kernel = (1, 3, 3, 4) if name == "DEPTHWISE_CONV_2D" else (4, 3, 3, 4)
    found = convolution(
        name,
        (1, 8, 8, 4),
        kernel,
        (1, 8, 8, 4),
        dilationHFactor=rows,
        dilationWFactor=columns,
    )
    assert found.verdict == verdict


def test_a_grouped_convolution_is_not_mapped():
    found = convolution("CONV_2D", (1, 8, 8, 4), (4, 3, 3, 2), (1, 8, 8, 4))
    assert found.verdict == "cpu"


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


def test_pools():
    assert pool(42, 3).verdict == "mapped"
    assert pool(33, 1).verdict == "mapped"
    assert pool(33, 1, fused=1).verdict == "cpu"
    assert pool(3, 2, padding=0).verdict == "mapped"
    assert pool(3, 8, padding=0, stride=1).verdict == "uncertain"
    assert pool(256, 1).verdict == "uncertain"
    assert pool(2, 4, padding=0, name="MAX_POOL_2D").verdict == "mapped"
    assert pool(2, 4, name="MAX_POOL_2D", fused=1).verdict == "cpu"


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
    ("axes", "shape", "verdict"),
    [
        ((1, 2), (1, 33, 33, 10), "mapped"),
        ((1, 2), (1, 64, 128, 3), "mapped"),
        ((1, 2), (1, 256, 128, 3), "uncertain"),
        ((2, -3), (1, 256, 128, 3), "uncertain"),
        ((3,), (1, 8, 8, 8), "mapped"),
        ((3,), (1, 8, 8, 6), "cpu"),
        ((-1,), (1, 8, 8, 6), "cpu"),
        ((0, 1), (1, 8, 8, 8), "cpu"),
    ],
)
def test_means(axes, shape, verdict):
    assert with_list("MEAN", axes, shape, (1, 4)).verdict == verdict


@pytest.mark.parametrize("name", ["SUM", "REDUCE_MAX", "REDUCE_MIN"])
def test_other_reductions(name):
    assert with_list(name, (1, 2), output=(1, 4)).verdict == "mapped"
    assert with_list(name, (3,), (1, 8, 8, 6)).verdict == "mapped"
    assert with_list(name, (0,)).verdict == "cpu"


@pytest.mark.parametrize("name", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((33, 33), (33, 33), "mapped"),
        ((24, 24), (48, 48), "mapped"),
        ((64, 64), (128, 128), "mapped"),
        ((8, 8), (8, 16), "mapped"),
        ((64, 128), (128, 256), "uncertain"),
        ((8, 8), (12, 12), "uncertain"),
        ((32, 32), (128, 128), "uncertain"),
        ((8, 8), (64, 64), "uncertain"),
        ((8, 8), (4, 4), "uncertain"),
        ((8, 8), (128, 128), "cpu"),
        ((33, 33), (513, 513), "cpu"),
        ((256, 256), (512, 512), "cpu"),
        ((1, 1), (2, 2), "cpu"),
        ((1, 1), (33, 33), "cpu"),
        ((1, 1), (1, 1), "mapped"),
    ],
)
def test_resizes(name, before, after, verdict):
    assert resize(before, after, name).verdict == verdict


def test_aligned_corners_double_one_less():
    assert resize((33, 33), (65, 65), alignCorners=True).verdict == "mapped"
    assert resize((33, 33), (65, 65)).verdict == "uncertain"
    found = resize((33, 33), (66, 66), alignCorners=True)
    assert found.verdict == "uncertain"


def test_a_resize_from_one_pixel_has_its_own_remedy():
    assert "ADD" in resize((1, 1), (33, 33)).remedy


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
    for axis, verdict in ((0, "cpu"), (1, "mapped")):
        b = Builder()
        shape = (2, 1, 4) if axis == 0 else (1, 2, 4)
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

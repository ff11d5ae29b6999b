"""The newest version of each operator that the last compiler reads.

edgetpu_compiler 16.0 (July 2021) knows the operators of TensorFlow 2.6. One
that is newer is no fallback to the CPU: it ends the whole compilation. The
table is inferred from TensorFlow's own, at that release; the versions of
CONV_2D, TRANSPOSE_CONV, TILE, QUANTIZE and EXP are confirmed by reports.
"""

_CEILINGS = {
    **{"ABS": 4, "ADD": 4, "ARG_MAX": 2, "AVERAGE_POOL_2D": 3},
    **{"BATCH_MATMUL": 4, "BATCH_TO_SPACE_ND": 3, "BROADCAST_ARGS": 1},
    **{"BROADCAST_TO": 3, "CAST": 1, "CONCATENATION": 3, "CONV_2D": 5},
    **{"DEPTHWISE_CONV_2D": 6, "DEPTH_TO_SPACE": 2, "DEQUANTIZE": 4},
    **{"DIV": 2, "EXP": 1, "EXPAND_DIMS": 1, "FILL": 3, "FLOOR_DIV": 2},
    **{"FULLY_CONNECTED": 9, "GATHER": 5, "GATHER_ND": 3, "HARD_SWISH": 1},
    **{"L2_NORMALIZATION": 2, "LEAKY_RELU": 2, "LOG": 1, "LOGISTIC": 3},
    **{"MAXIMUM": 4, "MAX_POOL_2D": 3, "MEAN": 3, "MINIMUM": 4},
    **{"MIRROR_PAD": 2, "MUL": 5, "NEG": 1, "PACK": 3, "PAD": 4, "PADV2": 4},
    **{"PRELU": 1, "QUANTIZE": 2, "REDUCE_MAX": 3, "REDUCE_MIN": 3},
    **{"RELU": 3, "RELU6": 3, "RELU_N1_TO_1": 1, "RESHAPE": 1},
    **{"RESIZE_BILINEAR": 4, "RESIZE_NEAREST_NEIGHBOR": 4, "RSQRT": 2},
    **{"SHAPE": 1, "SLICE": 5, "SOFTMAX": 3, "SPACE_TO_BATCH_ND": 3},
    **{"SPACE_TO_DEPTH": 2, "SPLIT": 4, "SPLIT_V": 2, "SQRT": 1, "SQUARE": 1},
    **{"SQUARED_DIFFERENCE": 2, "SQUEEZE": 2, "STRIDED_SLICE": 6, "SUB": 5},
    **{"SUM": 2, "TANH": 3, "TILE": 2, "TRANSPOSE": 5, "TRANSPOSE_CONV": 3},
    **{"UNIDIRECTIONAL_SEQUENCE_LSTM": 3, "UNPACK": 4},
}
# BROADCAST_ARGS; the schema's numbers grow with its releases.
_LAST_OPERATOR = 145

# What to write instead of the versions that current converters emit.
_REMEDIES = {
    "CONV_2D": "a grouped convolution: split it, or use a depthwise one",
    "TRANSPOSE_CONV": "keep its activation a layer of its own (version 3), or "
    "resize and convolve",
    "TILE": "broadcast by ADD or MUL; resize with RESIZE_NEAREST_NEIGHBOR "
    "instead of UpSampling2D",
    "QUANTIZE": "quantise per tensor",
    "EXP": "leave it to the host",
    "SQRT": "leave it to the host, or use RSQRT",
    "CAST": "leave it to the host",
}


def ceiling(name: str, number: int) -> int | None:
    """The newest readable version of an operator; 0: none is readable.

    Args:
        name: of the operator, "CONV_2D".
        number: of the operator in the schema.

    Returns:
        None for operators of 2021 that the table does not hold.
    """
    if number > _LAST_OPERATOR:
        return 0
    return _CEILINGS.get(name)


def version_remedy(name: str) -> str:
    """What to do about a version that is too new."""
    return _REMEDIES.get(
        name, "convert with an older TensorFlow or write it by other operators"
    )

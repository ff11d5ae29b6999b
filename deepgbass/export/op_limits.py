"""The limits of each supported operator, each with what is known of it.

A limit is a function of a `Context` that returns None, or a `Judgement` that
speaks against mapping. [doc]: Google's table. [data]: published pairs of
models before and after the compiler. [#n]: issues of google-coral/edgetpu.
"""

from deepgbass.export.op_judgement import cpu, uncertain
from deepgbass.export.op_limits_spatial import (
    average_pool,
    convolution,
    fused_activation,
    reduction,
    resize,
)

# A "colossal" one failed [#253]; how much is too much is not known.
_LARGE_RESHAPE = 2**20
# 16,000 are documented, 16,384 were mapped. [data]
_SOFTMAX = 16384


def _broadcast(context):
    """Elementwise operators.

    Mapped were equal sizes [data], scalars, values a channel [#377], and all
    of yolov7-tiny, which adds values a row and a channel (its pull request
    1672). No log has one value for all channels of a position.
    """
    output = context.outputs[0].shape
    for tensor in context.data:
        if tensor.elements > 1 and tensor.shape[-1:] != output[-1:]:
            return uncertain(
                f"it broadcasts {list(tensor.shape)} to {list(output)};"
                " along channels none is known to be mapped",
                "give both inputs all channels",
            )
    # A MUL behind a SPLIT was not mapped. [#219]
    if context.op.name == "MUL" and "SPLIT" in context.producers:
        return uncertain("it multiplies what a SPLIT gives")
    # An ADD behind a PAD from 15 to 16 rows was not mapped. [data]
    if context.op.name == "ADD" and "PAD" in context.producers:
        return uncertain(
            "it adds to what a PAD gives",
            "sizes that stay even at every stride need no padding",
        )
    return None


def _trimmed(shape):
    """A shape without leading ones."""
    shape = tuple(shape)
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def _concatenation(context):
    constants = [t for t in context.data if t.constant]
    if not constants:
        return fused_activation(context)
    # [doc] zeros alone: as real numbers, PoseNet's are stored otherwise.
    stored = [(t.values(), t.zero_point) for t in constants]
    zeros = all(
        values is not None and ((values == zero).all() or not values.any())
        for values, zero in stored
    )
    if len(context.data) != 2 or not zeros:
        return cpu(
            "it joins constants, and not just one other tensor with zeros",
            remedy="join zeros alone, two tensors at a time",
        )
    return fused_activation(context)


def _fully_connected(context):
    if context.op.options.get("WeightsFormat", 0):  # [doc]
        return cpu("its weights are shuffled")
    return _one_row(context, cpu)


def _one_row(context, judgement):
    shape = context.outputs[0].shape
    if any(n != 1 for n in shape[:-1]):  # [doc]
        return judgement(f"its output {list(shape)} is no single row")
    return None


def _softmax(context):
    classes = max(context.outputs[0].shape[-1:], default=1)
    if classes > _SOFTMAX:
        return uncertain(
            f"{classes} classes; {_SOFTMAX} were mapped, 16,000 documented"
        )
    # [doc] says rows alone; logs of detectors have others mapped.
    return _one_row(context, uncertain)


def _pack(context):
    rank = len(context.outputs[0].shape)
    if context.op.options.get("Axis", 0) in (0, -rank):  # [doc]
        return cpu("it packs along the batch")
    return None


def _pad(context):
    paddings = context.ints(1) or []
    if len(context.data[0].shape) == 4 and any(paddings[:2]):  # [doc]
        return cpu("it pads the batch")
    return None


def _prelu(context):
    slopes = context.input(1)
    if slopes and any(n != 1 for n in slopes.shape[:-1]):  # [doc]
        return cpu(
            f"slopes {list(slopes.shape)} are not one a channel",
            remedy="PReLU(shared_axes=[1, 2])",
        )
    return None


def _reshape(context):
    size = context.outputs[0].nbytes
    if size <= _LARGE_RESHAPE:
        return None
    return uncertain(  # [doc] "large reshapes may not be mapped"
        f"it reshapes {size / 2**20:.1f} MiB",
        "keep the shape, or reshape on the host",
    )


def _split(context):
    axis = (context.ints(0) or [0])[0]
    if axis % max(len(context.data[0].shape), 1) == 0:
        return cpu("it splits the batch")
    return None


def _squeeze(context):
    before, after = context.data[0].shape, context.outputs[0].shape
    if _trimmed(before) != _trimmed(after):  # [doc]
        return cpu(
            f"it squeezes {list(before)} to {list(after)}; only leading ones"
            " can be"
        )
    return None


def _strided_slice(context):
    options = context.op.options
    if any(step != 1 for step in context.ints(3) or []):  # [doc]
        return cpu("it has strides above 1", remedy="a strided convolution")
    if options.get("EllipsisMask", 0) or options.get("NewAxisMask", 0):
        return cpu("it has an ellipsis or a new axis")  # [doc]
    return None


def _tile(context):
    # [data] as version 1 of uint8; newer converters give a fatal version 3.
    if context.data[0].dtype == "uint8" and context.op.version == 1:
        return None
    return uncertain(
        f"{context.data[0].dtype}, version {context.op.version}; only uint8,"
        " version 1, is known to be mapped",
        "broadcast by ADD or MUL",
    )


def _unknown(reason, remedy=""):
    return lambda context: uncertain(reason, remedy)


# Every supported operator; None: no limit is known.
LIMITS = {
    **dict.fromkeys(("ADD", "SUB", "MUL"), _broadcast),
    **dict.fromkeys(("MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"), _broadcast),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), convolution),
    "AVERAGE_POOL_2D": average_pool,
    "MAX_POOL_2D": fused_activation,
    "CONCATENATION": _concatenation,
    "FULLY_CONNECTED": _fully_connected,
    **dict.fromkeys(("L2_NORMALIZATION", "LOGISTIC", "TANH"), None),
    **dict.fromkeys(("RELU", "RELU6", "RELU_N1_TO_1"), None),
    **dict.fromkeys(("EXPAND_DIMS", "QUANTIZE", "SLICE"), None),
    **dict.fromkeys(("SPACE_TO_DEPTH", "UNIDIRECTIONAL_SEQUENCE_LSTM"), None),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), reduction),
    "PACK": _pack,
    "PAD": _pad,
    "PRELU": _prelu,
    "RESHAPE": _reshape,
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), resize),
    "RSQRT": _unknown("no log shows one mapped"),
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TILE": _tile,
    "TRANSPOSE": _unknown(
        "some are mapped and some not, and chains of them not",
        "NHWC throughout",
    ),
    "TRANSPOSE_CONV": _unknown(
        "only some are mapped; kernel 2, stride 2 is not",  # [#509, #684]
        "resize, then convolve",
    ),
    "LSTM": _unknown("only the unidirectional sequence form was seen mapped"),
}

# What to write instead of an operator that is not supported.
_HOST = "end the graph before it; it is the host's"
INSTEAD = {
    "ARG_MAX": _HOST,
    "ARG_MIN": _HOST,
    "LEAKY_RELU": "ReLU or PReLU",
    "HARD_SWISH": "ReLU6, or x * sigmoid(x)",
    "DIV": "multiply by a constant, or learn it as a 1x1 convolution",
    "SQUARE": "x * x",
    "BROADCAST_TO": "broadcast by ADD or MUL",
    "SPACE_TO_BATCH_ND": "export at a fixed batch of 1: dilation stays native",
    "BATCH_TO_SPACE_ND": "export at a fixed batch of 1: dilation stays native",
    "SPLIT_V": "SPLIT into equal parts, or SLICE",
    "PADV2": "PAD with zeros",
    "DEPTH_TO_SPACE": "resize, then convolve",
}

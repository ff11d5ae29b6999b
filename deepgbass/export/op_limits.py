"""The limits of each supported operator, each with what is known of it.

A limit is a function of a `Context` that returns None, or a `Judgement` that
speaks against mapping. [doc]: Google's table. [data]: published pairs of
models before and after the compiler. [#n]: issues of google-coral/edgetpu.
"""

from deepgbass.export.op_judgement import cpu, uncertain

# Largest resize known to be mapped, and smallest known to be refused. [#31]
_RESIZE_MAPPED, _RESIZE_REFUSED = 128**2, 512**2
# A mean over 64x128 positions was mapped, one over 256x128 was not. [#461]
_POOLED_ROWS, _POOLED_COLUMNS = 64, 128
# A "colossal" one failed [#253]; how much is too much is not known.
_LARGE_RESHAPE = 2**20
# 16,000 are documented, 16,384 were mapped. [data]
_SOFTMAX = 16384
_DILATION = 2


def _fused(context):
    if context.op.options.get("FusedActivationFunction", 0):
        return cpu(
            "it has a fused activation",  # [doc]
            remedy="keep the activation a layer of its own",
        )
    return None


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


def _convolution(context):
    options = context.op.options
    rows = options.get("DilationHFactor", 1)
    columns = options.get("DilationWFactor", 1)
    if rows != columns:  # [doc]
        return cpu(f"dilations {rows} and {columns} differ")
    source, weights = context.input(0), context.input(1)
    known = context.op.name == "CONV_2D" and source and weights
    if known and source.shape[-1:] != weights.shape[-1:]:
        return cpu("a grouped convolution")
    if rows > _DILATION:  # 2 is mapped [data]
        return uncertain(
            f"dilation {rows}; {_DILATION} is the largest known to be mapped"
        )
    return None


def _average_pool(context):
    options = context.op.options
    rows = options.get("FilterHeight", 1)
    columns = options.get("FilterWidth", 1)
    fused = _fused(context)
    if fused:
        return fused
    if rows > _POOLED_ROWS or columns > _POOLED_COLUMNS:  # [#183, #461]
        return _large_pool(rows, columns)
    # No mapped one is padded. [data]
    if options.get("Padding", 1) == 0 and _is_padded(context, rows, columns):
        return uncertain(
            "it pads its input, as none that is known to be mapped",
            "a depthwise convolution with a constant kernel",
        )
    return None


def _is_padded(context, rows, columns):
    _, *before, _ = context.data[0].shape
    _, *after, _ = context.outputs[0].shape
    strides = [context.op.options.get(f"Stride{k}", 1) for k in "HW"]
    return any(
        (b - 1) * stride + window > a
        for a, b, stride, window in zip(
            before, after, strides, (rows, columns), strict=True
        )
    )


def _large_pool(rows, columns):
    return uncertain(
        f"it averages over {rows}x{columns} positions;"
        f" {_POOLED_ROWS}x{_POOLED_COLUMNS} was mapped, 256x128 was not",
        "pool in two steps",
    )


def _reduction(context):
    source, axes = context.input(0), context.ints(1)
    rank = len(source.shape)
    axes = range(rank) if axes is None else {a % max(rank, 1) for a in axes}
    if rank > 1 and 0 in axes:  # [doc]
        return cpu("it reduces the batch")
    if context.op.name != "MEAN" or rank != 4:
        return None
    if 3 in axes and source.shape[3] % 4:  # [doc]
        return cpu(
            f"it averages {source.shape[3]} channels",
            remedy="a multiple of 4 channels",
        )
    rows = source.shape[1] if 1 in axes else 1
    columns = source.shape[2] if 2 in axes else 1
    if rows > _POOLED_ROWS or columns > _POOLED_COLUMNS:  # [#461]
        return _large_pool(rows, columns)
    return None


def _concatenation(context):
    constants = [t for t in context.data if t.constant]
    if not constants:
        return _fused(context)
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
    return _fused(context)


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


def _resize(context):
    _, *before, _ = context.data[0].shape
    _, *after, _ = context.outputs[0].shape
    text = f"{before[0]}x{before[1]} to {after[0]}x{after[1]}"
    pairs = list(zip(before, after, strict=True))
    factor = max(b / max(a, 1) for a, b in pairs)
    positions = after[0] * after[1]
    broadcast = "broadcast a 1x1 tensor by ADD instead of resizing it"
    steps = "steps of x2, or end the graph here and resize on the host"
    if before == [1, 1] and after != [1, 1]:  # [data]
        return cpu(f"it resizes {text}", remedy=broadcast)
    if factor >= 15:  # 33 to 513 [data]
        return cpu(f"it resizes {text}", remedy=steps)
    if positions >= _RESIZE_REFUSED:  # [#31]
        return cpu(f"it resizes {text}, too large an output", remedy=steps)
    # x1 and x2 are mapped [data]; x4 was, with wrong numbers [#377].
    aligned = context.op.options.get("AlignCorners", False)
    if not all(b in (a, 2 * a - bool(aligned)) for a, b in pairs):
        return uncertain(
            f"it resizes {text}; x1 and x2 are known to be mapped", steps
        )
    if positions > _RESIZE_MAPPED:
        return uncertain(
            f"it resizes {text}; outputs of 128x128 were mapped, of 512x512"
            " not, and nothing is known in between",
            "resize before the sizes grow, or on the host",
        )
    return None


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
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), _convolution),
    "AVERAGE_POOL_2D": _average_pool,
    "MAX_POOL_2D": _fused,
    "CONCATENATION": _concatenation,
    "FULLY_CONNECTED": _fully_connected,
    **dict.fromkeys(("L2_NORMALIZATION", "LOGISTIC", "TANH"), None),
    **dict.fromkeys(("RELU", "RELU6", "RELU_N1_TO_1"), None),
    **dict.fromkeys(("EXPAND_DIMS", "QUANTIZE", "SLICE"), None),
    **dict.fromkeys(("SPACE_TO_DEPTH", "UNIDIRECTIONAL_SEQUENCE_LSTM"), None),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), _reduction),
    "PACK": _pack,
    "PAD": _pad,
    "PRELU": _prelu,
    "RESHAPE": _reshape,
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _resize),
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

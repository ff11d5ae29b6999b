"""The limits of operators over positions: windows, reductions and resizes.

Each function is a limit as `op_limits` tells, for its table; what [doc],
[data] and [#n] stand for is said there.
"""

from deepgbass.export.op_judgement import cpu, uncertain

# Largest resize known to be mapped, and smallest known to be refused. [#31]
_RESIZE_MAPPED, _RESIZE_REFUSED = 128**2, 512**2
# A mean over 64x128 positions was mapped, one over 256x128 was not. [#461]
_POOLED_ROWS, _POOLED_COLUMNS = 64, 128
_DILATION = 2


def fused_activation(context):
    """Pools, and concatenations likewise: no activation within them."""
    if context.op.options.get("FusedActivationFunction", 0):
        return cpu(
            "it has a fused activation",  # [doc]
            remedy="keep the activation a layer of its own",
        )
    return None


def convolution(context):
    """Plain and depthwise convolutions: their dilation, their groups."""
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


def average_pool(context):
    """Average pools: their window, padding and fused activation."""
    options = context.op.options
    rows = options.get("FilterHeight", 1)
    columns = options.get("FilterWidth", 1)
    fused = fused_activation(context)
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


def reduction(context):
    """Means, sums and extrema: the axes they run over, and how far."""
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


def resize(context):
    """Bilinear and nearest resizes: their factor and size of the output."""
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

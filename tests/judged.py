"""Operators of their own, as the preflight judges them."""

from tflite_files import Builder

from deepgbass.export.op_rules import judge_all
from deepgbass.export.tflite_reader import read_graph


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

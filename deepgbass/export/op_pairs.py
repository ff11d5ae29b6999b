"""Which operators of two forms of one network compute the same.

The float form of a network and its quantised one, from one graph or from two
conversions of it: a converter may rename results, order operators otherwise,
and puts casts where numbers change their form.
"""

# These change the form of numbers alone; the forms differ in having them.
CASTS = ("QUANTIZE", "DEQUANTIZE")
_DTYPES = ("float32", "int8", "uint8")


def pair_operators(reference, quantized):
    """Matches operators by what they compute.

    First by the name of the result. What is left: by kind, shape and inputs
    that are matched themselves, in the order of execution, so that files
    without names in common do too.

    Args:
        reference: `tflite_graph.Graph` of the float form.
        quantized: `Graph` of the other.

    Returns:
        list of (`Operator` of the reference, `Operator` of the other), in the
        other's order of execution.
    """
    left, right = comparable(reference), comparable(quantized)
    named = {_result(reference, op).name: op for op in left}
    found = {}  # index of the quantised operator -> the float operator
    for op in right:
        other = named.get(_result(quantized, op).name)
        if other is not None and _alike(reference, other, quantized, op):
            found[op.index] = named.pop(_result(quantized, op).name)
    free = {op.index: op for op in named.values()}
    inputs, wanted = sources(reference), sources(quantized)
    for op in right:
        if op.index in found:
            continue
        needs = [_counterpart(found, index) for index in wanted[op.index]]
        for index, other in free.items():
            if inputs[index] == needs and _alike(
                reference, other, quantized, op
            ):
                found[op.index] = free.pop(index)
                break
    return [(found[op.index], op) for op in right if op.index in found]


def comparable(graph):
    """Operators with one result, in numbers that can be compared."""
    return [
        op
        for op in graph.operators
        if op.name not in CASTS
        and len(op.outputs) == 1
        and _result(graph, op).dtype in _DTYPES
    ]


def sources(graph):
    """Where the activations come from that operators take.

    Returns:
        dict of operator index -> list of operator indices, casts skipped,
        None for the graph's input.
    """
    producers = graph.producers()

    def source(tensor):
        op = producers.get(tensor)
        while op is not None and op.name in CASTS:
            op = producers.get(op.inputs[0])
        return None if op is None else op.index

    return {
        op.index: [
            source(tensor)
            for tensor in op.inputs
            if tensor >= 0 and not graph.tensors[tensor].constant
        ]
        for op in graph.operators
    }


def _result(graph, op):
    return graph.tensors[op.outputs[0]]


def _alike(reference, other, quantized, op):
    shapes = _result(reference, other).shape, _result(quantized, op).shape
    return other.name == op.name and shapes[0] == shapes[1]


def _counterpart(found, index):
    """The float operator's index; -1, which no source has, for none."""
    if index is None:
        return None
    return found[index].index if index in found else -1

"""Whether the Edge TPU compiler maps one operator, judged by itself.

The rules are those of Google's table of supported operators, corrected by
what the compiler did with published pairs of models and by users' reports
(evidence beside each rule here and in `op_limits`). Where none of them
speaks, the verdict is "uncertain". Whether an operator is cut off by another
is decided in `partition`.
"""

from deepgbass.export.op_judgement import (
    DATA_TYPE,
    MAPPED,
    NOT_CONSTANT,
    NOT_SUPPORTED,
    PARAMETERS,
    RANK,
    TOO_LARGE,
    Context,
    Judgement,
    cpu,
    uncertain,
)
from deepgbass.export.op_limits import INSTEAD, LIMITS
from deepgbass.export.op_versions import ceiling, version_remedy
from deepgbass.export.tflite_graph import Graph

# Largest activation of a published model that was mapped whole: 48 channels
# at 361x641, PoseNet (MobileNet v1 0.75) for images of 721x1281.
LARGEST_MAPPED = 361 * 641 * 48

_INTEGERS = ("int8", "uint8")
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# These take and give (batch, height, width, channels).
_SPATIAL = (
    *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "SPACE_TO_DEPTH"),
    *("AVERAGE_POOL_2D", "MAX_POOL_2D"),
    *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
)


def judge_all(graph: Graph) -> list[Judgement]:
    """Judges every operator of a graph by itself."""
    producers = graph.producers()
    return [
        judge(
            Context(
                op,
                tuple(graph.tensors[i] if i >= 0 else None for i in op.inputs),
                tuple(graph.tensors[i] for i in op.outputs),
                tuple(
                    producers[i].name if i in producers else None
                    for i in op.inputs
                ),
            )
        )
        for op in graph.operators
    ]


def judge(context: Context) -> Judgement:
    """Judges one operator: the first rule that objects decides."""
    rules = (_version, _parameters, _type, _support, _rank, _limits, _size)
    for rule in rules:
        judgement = rule(context)
        if judgement is not None:
            return judgement
    return Judgement("mapped", MAPPED)


def _version(context):
    op = context.op
    highest = None if op.custom else ceiling(op.name, op.number)
    if highest is None or op.version <= highest:
        return None
    known = f"at most version {highest}" if highest else "no such operator"
    return Judgement(
        "fatal",
        f"Didn't find op for builtin opcode '{op.name}' version '{op.version}'",
        f"the compiler knows {known}, and stops at what it does not know",
        version_remedy(op.name),
    )


def _parameters(context):
    for i in PARAMETERS.get(context.op.name, ()):
        tensor = context.input(i)
        # An empty list, of a full reduction, is stored as no bytes.
        if tensor and tensor.elements and not tensor.constant:
            return cpu(
                f"its input {i} ({tensor.name or 'unnamed'}) is computed",
                NOT_CONSTANT,
                "make it a constant of the graph",
            )
    return None


def _type(context):
    op = context.op
    if op.custom:
        return None
    if op.name == "QUANTIZE" and _quantizes_floats(context):
        return cpu(
            "it quantises floats", remedy="give the model int8 or uint8 inputs"
        )
    weights = [context.input(1)] if op.name in _WEIGHTED else []
    for tensor in (*context.data, *weights, *context.outputs):
        if tensor is not None and tensor.dtype not in _INTEGERS:
            remedy = "quantise the whole model to int8, inputs and outputs too"
            return cpu(
                f"{tensor.dtype} tensors",
                DATA_TYPE,
                INSTEAD.get(op.name, remedy),
            )
        if tensor is not None and tensor.dynamic:
            return cpu(
                f"the size of {tensor.name or 'a tensor'} is open",
                remedy="fix every size, that of the batch too",
            )
    return None


def _quantizes_floats(context):
    return (
        [t.dtype for t in context.data] == ["float32"]
        and context.outputs
        and context.outputs[0].dtype in _INTEGERS
    )


def _support(context):
    if not context.op.custom and context.op.name in LIMITS:
        if context.data and context.outputs:
            return None
        return cpu("it lacks an input or an output")
    return cpu(
        "a custom operator; one that the compiler's own TFLite does not know"
        " even ends the compilation"
        if context.op.custom
        else "not in the compiler's table",
        NOT_SUPPORTED,
        INSTEAD.get(context.op.name, "leave it to the host"),
    )


def _rank(context):
    spatial = context.op.name in _SPATIAL
    for tensor in (*context.data, *context.outputs):
        if (
            spatial
            and len(tensor.shape) != 4
            or any(n != 1 for n in tensor.shape[:-3])
        ):
            return cpu(
                f"shape {list(tensor.shape)}",
                RANK,
                "keep the batch at 1 and at most three sizes above 1",
            )
    return None


def _limits(context):
    limit = LIMITS[context.op.name]
    return None if limit is None else limit(context)


def _size(context):
    largest = max(t.nbytes for t in (*context.data, *context.outputs))
    if largest <= LARGEST_MAPPED:
        return None
    return uncertain(
        f"an activation of {largest / 2**20:.1f} MiB; none above"
        f" {LARGEST_MAPPED / 2**20:.1f} MiB is known to have been mapped",
        "smaller images; edgetpu_compiler -d searches for what compiles",
        TOO_LARGE,
    )

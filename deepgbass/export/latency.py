"""An ESTIMATE of how long one inference takes on the USB accelerator.

Fitted, not measured here: cycles = convolution MACs / 1080 + depthwise MACs
/ 114 agrees within 10 % with what the compiler wrote into 10 published
packages; 0.42 ms + cycles / 500 MHz + transferred bytes / 277 MB/s with 6
published USB 3 latencies within 0.25 ms. It holds for other models to about
25 %.
"""

import dataclasses

from deepgbass.export.edgetpu_package import Package
from deepgbass.export.footprint import Footprint
from deepgbass.export.tflite_graph import Graph

TOLERANCE = 0.25
_CONV_MACS_PER_CYCLE, _DEPTHWISE_MACS_PER_CYCLE = 1080, 114
_PEAK_MACS_PER_CYCLE = 4096
_HERTZ = 500e6
_BYTES_PER_SECOND = 277e6
_OVERHEAD_MS = 0.42
# Four published packages have 2.5 to 6.2 kB of instructions an operator.
_INSTRUCTION_BYTES = 4096


@dataclasses.dataclass(frozen=True)
class Latency:
    """Milliseconds of the Edge TPU's part, over USB 3.

    Attributes:
        estimate_ms: by the fitted formula.
        low_ms, high_ms: 25 % below and above it.
        bound_ms: what no implementation can go below: all MACs at the peak
            rate, all known bytes at the speed of the bus.
        conv_macs, depthwise_macs: of the subgraph.
        transferred_bytes: at every inference, activations that spill to the
            host not included unless a package tells them.
    """

    estimate_ms: float
    low_ms: float
    high_ms: float
    bound_ms: float
    conv_macs: int
    depthwise_macs: int
    transferred_bytes: int


def estimate(graph: Graph, mapped: frozenset, footprint: Footprint) -> Latency:
    """Estimates the latency of a subgraph before compilation.

    Args:
        graph: the model.
        mapped: positions of the operators in the subgraph; at least one.
        footprint: of the subgraph.
    """
    conv = depthwise = 0
    for op in graph.operators:
        if op.index in mapped:
            macs, is_depthwise = _macs(graph, op)
            depthwise += macs if is_depthwise else 0
            conv += 0 if is_depthwise else macs
    sent = (
        footprint.input_bytes
        + footprint.output_bytes
        + footprint.streamed_bytes
    )
    cycles = conv / _CONV_MACS_PER_CYCLE + depthwise / _DEPTHWISE_MACS_PER_CYCLE
    instructions = len(mapped) * _INSTRUCTION_BYTES
    return _latency(cycles, conv, depthwise, sent + instructions, sent)


def estimate_compiled(packages: tuple[Package, ...]) -> Latency | None:
    """The same for a compiled model; None without the compiler's cycles."""
    cycles = sum(p.estimated_cycles for p in packages)
    if not cycles:
        return None
    sent = sum(
        p.input_bytes
        + p.output_bytes
        + p.streamed_bytes
        + p.instruction_bytes
        + p.scratch_bytes
        for p in packages
    )
    return _latency(cycles, 0, 0, sent, sent)


def _latency(cycles, conv, depthwise, sent, surely_sent):
    milliseconds = (
        _OVERHEAD_MS + cycles / _HERTZ * 1e3 + sent / _BYTES_PER_SECOND * 1e3
    )
    bound = (
        conv + depthwise
    ) / _PEAK_MACS_PER_CYCLE / _HERTZ + surely_sent / _BYTES_PER_SECOND
    return Latency(
        milliseconds,
        milliseconds * (1 - TOLERANCE),
        milliseconds * (1 + TOLERANCE),
        bound * 1e3,
        conv,
        depthwise,
        sent,
    )


def _macs(graph, op):
    """Multiply-accumulates of an operator, and whether it is depthwise."""
    if len(op.inputs) < 2 or not op.outputs:
        return 0, False
    output, kernel = graph.tensors[op.outputs[0]], graph.tensors[op.inputs[1]]
    shape = kernel.shape
    if op.name == "CONV_2D" and len(shape) == 4:
        return output.elements * shape[1] * shape[2] * shape[3], False
    if op.name == "DEPTHWISE_CONV_2D" and len(shape) == 4:
        return output.elements * shape[1] * shape[2], True
    if op.name == "FULLY_CONNECTED":
        return kernel.elements, False
    if op.name == "TRANSPOSE_CONV" and len(op.inputs) > 2:
        source = graph.tensors[op.inputs[2]]
        channels = max(source.shape[-1:], default=1) or 1
        return source.elements // channels * kernel.elements, False
    return 0, False

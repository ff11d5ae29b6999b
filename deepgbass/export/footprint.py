"""Sizes that decide whether a model fits: activations and parameters."""

import dataclasses

from deepgbass.export.tflite_graph import Graph

# Of 8 MB, instructions and activations take a part that varies: compiler
# logs show 6.1 to 8.1 MiB left for parameters.
ON_CHIP_PARAMETERS = 7 * 2**20
PARAMETERS_AT_RISK = 6 * 2**20
# 16 tiles of 196,608 bytes each.
ACTIVATION_MEMORY = 3 * 2**20
_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Footprint:
    """Bytes of the operators in the subgraph alone.

    Attributes:
        parameter_bytes: constants of the operators.
        streamed_bytes: of these, what on-chip memory cannot keep, by
            estimate; sent again at every inference.
        at_risk: whether the parameters may not fit.
        largest_activations: tuple of (bytes, name, shape), largest first.
        peak_activation_bytes: of the activations that are alive at the same
            time, in the file's order.
        input_bytes, output_bytes: that enter and leave the subgraph.
    """

    parameter_bytes: int
    streamed_bytes: int
    at_risk: bool
    largest_activations: tuple
    peak_activation_bytes: int
    input_bytes: int
    output_bytes: int


def measure(graph: Graph, mapped: frozenset) -> Footprint:
    """Measures the subgraph of the operators at the positions `mapped`."""
    operators = [op for op in graph.operators if op.index in mapped]
    used = {i for op in operators for i in op.inputs if i >= 0}
    made = {i for op in operators for i in op.outputs}
    needed_outside = set(graph.outputs) | {
        i for op in graph.operators if op.index not in mapped for i in op.inputs
    }
    tensors = graph.tensors
    constants = {i for i in used if tensors[i].constant}
    activations = (used | made) - constants
    parameters = sum(tensors[i].stored_bytes for i in constants)
    by_size = sorted(activations, key=lambda i: (-tensors[i].nbytes, i))
    return Footprint(
        parameters,
        max(0, parameters - ON_CHIP_PARAMETERS),
        parameters > PARAMETERS_AT_RISK,
        tuple(
            (tensors[i].nbytes, tensors[i].name, tensors[i].shape)
            for i in by_size[:_NAMED]
        ),
        _peak(graph, operators, activations, needed_outside),
        sum(tensors[i].nbytes for i in activations - made),
        sum(tensors[i].nbytes for i in made & needed_outside),
    )


def _peak(graph, operators, activations, kept):
    last_use = {i: op.index for op in operators for i in op.inputs}
    sizes = {i: graph.tensors[i].nbytes for i in activations}
    alive, total, peak = set(), 0, 0
    for op in operators:
        for i in {*op.inputs, *op.outputs} & sizes.keys() - alive:
            alive.add(i)
            total += sizes[i]
        peak = max(peak, total)
        done = {
            i
            for i in {*op.inputs, *op.outputs} & alive
            if last_use.get(i, op.index) == op.index and i not in kept
        }
        alive -= done
        total -= sum(sizes[i] for i in done)
    return peak

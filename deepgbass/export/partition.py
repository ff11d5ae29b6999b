"""Which operators form the one subgraph that the compiler keeps.

By default it makes a single Edge TPU subgraph: the first one. What depends on
its results by way of an operator left to the CPU is left to the CPU too,
supported or not. Operators in front that depend on the graph's inputs alone
cut nothing off.
"""

import dataclasses

from deepgbass.export.op_judgement import MORE_THAN_ONE, Judgement
from deepgbass.export.tflite_graph import Graph


@dataclasses.dataclass(frozen=True)
class Partition:
    """How the operators of a graph are divided, each by its position.

    Attributes:
        mapped: frozenset of those in the subgraph; those about which the
            rules are uncertain, and fatal ones, are taken to be in it.
        frontier: tuple of those that end it: left to the CPU by themselves,
            and fed by the subgraph.
        front: tuple of those left to the CPU in front of it.
        stranded: dict, one that could be mapped but is cut off -> the first
            of the frontier that cuts it off.
    """

    mapped: frozenset
    frontier: tuple
    front: tuple
    stranded: dict


def first_partition(graph: Graph, judgements: list[Judgement]) -> Partition:
    """Finds the first subgraph.

    Args:
        graph: the model.
        judgements: of each operator by itself.
    """
    mapped, frontier, front, stranded = set(), [], [], {}
    # Tensors that need the subgraph; tensors cut off -> by which operator.
    fed, cut = set(), {}
    for op, judgement in zip(graph.operators, judgements, strict=True):
        cut_by = min((cut[i] for i in op.inputs if i in cut), default=None)
        is_fed = any(i in fed for i in op.inputs)
        # A fatal one cuts nothing off: without it nothing is divided at all,
        # and replaced it would be mapped.
        supported = judgement.verdict != "cpu"
        if supported and cut_by is None:
            mapped.add(op.index)
            is_fed = True
        elif supported:
            stranded[op.index] = cut_by
        elif cut_by is None and is_fed:
            frontier.append(op.index)
            cut_by = op.index
        elif cut_by is None:
            front.append(op.index)
        if is_fed:
            fed.update(op.outputs)
        if cut_by is not None:
            cut.update(dict.fromkeys(op.outputs, cut_by))
    return Partition(frozenset(mapped), tuple(frontier), tuple(front), stranded)


def settled(
    graph: Graph, judgements: list[Judgement], partition: Partition
) -> list[Judgement]:
    """The judgements once stranded operators are on the CPU."""
    result = list(judgements)
    for index, cause in partition.stranded.items():
        name = graph.operators[cause].name
        result[index] = Judgement(
            "cpu",
            MORE_THAN_ONE,
            f"it needs what #{cause} {name} computes on the CPU",
        )
    return result


def count_behind(graph: Graph, partition: Partition, index: int) -> int:
    """How many operators of the subgraph need the result of one of them."""
    needed = set(graph.operators[index].outputs)
    count = 0
    for op in graph.operators[index + 1 :]:
        if op.index in partition.mapped and needed.intersection(op.inputs):
            needed.update(op.outputs)
            count += 1
    return count

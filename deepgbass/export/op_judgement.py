"""The words of the compiler, and what a rule is given and returns."""

import dataclasses

from deepgbass.export.tflite_graph import Operator, Tensor

# The compiler's own words.
MAPPED = "Mapped to Edge TPU"
MORE_THAN_ONE = "More than one subgraph is not supported"
DATA_TYPE = "Operation is working on an unsupported data type"
UNSPECIFIED = (
    "Operation is otherwise supported, but not mapped due to some unspecified"
    " limitation"
)
NOT_SUPPORTED = "Operation not supported"
RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
NOT_CONSTANT = "Filter, bias, or other param is not constant at compile-time"
TOO_LARGE = "Compilation failed due to large activation tensors in model."

# Inputs that are parameters and have to be constant.
PARAMETERS = {
    **dict.fromkeys(
        ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), (1, 2)
    ),
    "TRANSPOSE_CONV": (0, 1, 3),
    **dict.fromkeys(("RESHAPE", "PAD", "EXPAND_DIMS", "PRELU"), (1,)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), (1,)),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), (1,)),
    **dict.fromkeys(("TRANSPOSE", "TILE"), (1,)),
    "SLICE": (1, 2),
    "STRIDED_SLICE": (1, 2, 3),
    "SPLIT": (0,),
    # Weights and biases; 18 and 19 are its state.
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (*range(1, 18), *range(20, 24)),
}


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What is to be expected of one operator by itself.

    Attributes:
        verdict: "mapped", "cpu", "uncertain" or "fatal".
        status: the compiler's words; of an uncertain operator, the words for
            its being refused.
        reason: why, in one sentence; "" if it is mapped.
        remedy: what to do about it; "" if nothing is known.
    """

    verdict: str
    status: str
    reason: str = ""
    remedy: str = ""


def cpu(reason, status=UNSPECIFIED, remedy="") -> Judgement:
    """An operator that the compiler leaves to the CPU."""
    return Judgement("cpu", status, reason, remedy)


def uncertain(reason, remedy="", status=UNSPECIFIED) -> Judgement:
    """An operator about which nothing is known."""
    return Judgement("uncertain", status, reason, remedy)


@dataclasses.dataclass(frozen=True)
class Context:
    """An operator with its tensors.

    Attributes:
        op: the operator.
        inputs: list of `Tensor`, None where an optional one is absent.
        outputs: list of `Tensor`.
        producers: names of the operators that compute the inputs, None for
            inputs of the graph and constants.
    """

    op: Operator
    inputs: tuple
    outputs: tuple
    producers: tuple

    @property
    def data(self) -> list[Tensor]:
        """Inputs that are activations, or constants in the place of one."""
        skip = PARAMETERS.get(self.op.name, ())
        if self.op.name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            skip = (*skip, 18, 19)
        return [
            tensor
            for i, tensor in enumerate(self.inputs)
            if tensor is not None and i not in skip
        ]

    def input(self, position) -> Tensor | None:
        """The input at a position, None if the operator has none there."""
        return self.inputs[position] if position < len(self.inputs) else None

    def ints(self, position) -> list[int] | None:
        """The numbers of a constant parameter; None if there is none."""
        tensor = self.input(position)
        values = None if tensor is None else tensor.values()
        return None if values is None else values.ravel().tolist()

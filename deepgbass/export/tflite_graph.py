"""A plain view of a `.tflite` file: operators, tensors, constants."""

import dataclasses

import numpy as np
from ai_edge_litert import schema_py_generated as schema

COMPILED_OP = "edgetpu-custom-op"

# Bytes of an element.
WIDTHS = {
    **dict.fromkeys(("bool", "int8", "uint8"), 1),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("float32", "int32", "uint32"), 4),
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One tensor.

    Attributes:
        index: in the file's list.
        name: of the file.
        shape: tuple of ints, one for every size that is not known before
            running.
        dynamic: whether a size is open (-1 in `shape_signature`).
        dtype: as the schema calls it, in lower case: "int8", "float32" ...
        constant: whether its values are stored.
        variable: whether it is state that lives across invocations.
        stored_bytes: of a constant.
        zero_point: int, 0 where there is none.
        scales: how many scales quantise it; 0: not quantised, above 1: per
            channel.
    """

    index: int
    name: str
    shape: tuple
    dynamic: bool
    dtype: str
    constant: bool
    variable: bool
    stored_bytes: int
    zero_point: int
    scales: int
    _data: object = dataclasses.field(repr=False, compare=False)

    @property
    def elements(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def nbytes(self) -> int:
        """Bytes in memory; those of unusual types count as one an element."""
        return self.elements * WIDTHS.get(self.dtype, 1)

    def values(self) -> np.ndarray | None:
        """Stored integers in the tensor's shape; None where there are none."""
        known = ("int8", "uint8", "int16", "int32", "int64")
        # Sparse constants are stored in fewer bytes.
        whole = self.stored_bytes == self.nbytes
        if not self.constant or not whole or self.dtype not in known:
            return None
        dtype = np.dtype(self.dtype).newbyteorder("<")
        return np.frombuffer(self._data, dtype).reshape(self.shape)


@dataclasses.dataclass(frozen=True)
class Operator:
    """One operator.

    Attributes:
        index: position in the order of execution.
        name: as the schema calls it ("CONV_2D"), or the code of a custom one.
        number: in the schema's list of builtin operators.
        version: of the operator.
        inputs: indices of tensors, -1 for an optional one that is absent.
        outputs: indices of tensors.
        options: dict of the options that matter here, by the schema's names;
            empty where the file has none.
        custom_data: bytes of a custom operator.
    """

    index: int
    name: str
    number: int
    version: int
    inputs: tuple
    outputs: tuple
    options: dict
    custom_data: bytes = dataclasses.field(repr=False)

    @property
    def custom(self) -> bool:
        return self.number == schema.BuiltinOperator.CUSTOM


@dataclasses.dataclass(frozen=True)
class Graph:
    """The main graph of a file.

    Attributes:
        operators: in the order of execution.
        tensors: list of `Tensor`.
        inputs, outputs: indices of the graph's tensors.
        other_graphs: how many further graphs (branches, loops) there are.
        size_bytes: of the file.
    """

    operators: tuple
    tensors: tuple
    inputs: tuple
    outputs: tuple
    other_graphs: int
    size_bytes: int

    @property
    def compiled(self) -> bool:
        """Whether it went through the Edge TPU compiler."""
        return any(op.name == COMPILED_OP for op in self.operators)

    def producers(self) -> dict:
        """Index of a tensor -> the operator that computes it."""
        return {i: op for op in self.operators for i in op.outputs}

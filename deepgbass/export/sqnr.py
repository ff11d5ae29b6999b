"""Signal to noise of a quantised model, operator by operator.

The float and the quantised form of one network run on the same images, and
every tensor of the one is compared with its counterpart in the other:

    dB = 10 log10(sum of x^2 / sum of (x - q)^2)

over all images, x being the float value and q what the integer stands for.
The noise at an operator is its own and all that it was handed; `lost_db`
says how much it added to the worst of its inputs.
"""

import dataclasses
import re

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from deepgbass.errors import UserError
from deepgbass.export.op_pairs import comparable, pair_operators, sources
from deepgbass.export.tflite_reader import read_graph
from deepgbass.predictors import dequantize

# Beyond this a ratio counts as this: JSON has no infinity.
LIMIT_DB = 150.0

# A block's name is its layers' without these.
_PARTS = re.compile(
    r"(_(relu|bn|pad|expand|depthwise|pointwise|project|add|shortcut|mean"
    r"|pooled|separable_conv\d+))+$"
)
_GUIDED = re.compile(r"^(\w*guided)_\w+$")


@dataclasses.dataclass(frozen=True)
class OpSqnr:
    """One operator of the quantised model.

    Attributes:
        index: position in the order of execution.
        op: of the schema, "CONV_2D".
        name: of the layer that it ends; "output" where the file has none.
        block: of layers that this one belongs to.
        db: signal to noise of its result, -150..150; 150: exact.
        lost_db: by how much that is below the worst of its inputs; None
            where it has none that was measured.
    """

    index: int
    op: str
    name: str
    block: str
    db: float
    lost_db: float | None


@dataclasses.dataclass(frozen=True)
class SqnrTable:
    """Signal to noise of the operators that have a float counterpart.

    Attributes:
        rows: tuple of `OpSqnr`, in the order of execution.
        unmatched: names of results without a counterpart.
        images: how many the sums run over.
    """

    rows: tuple
    unmatched: tuple
    images: int

    @property
    def worst(self) -> OpSqnr:
        """The operator of the lowest ratio, the first of equals."""
        return min(self.rows, key=lambda row: row.db)

    @property
    def greatest_loss(self) -> OpSqnr | None:
        """The operator that adds most to the noise it is handed."""
        measured = [row for row in self.rows if row.lost_db is not None]
        return max(measured, key=lambda row: row.lost_db, default=None)

    @property
    def blocks(self) -> dict:
        """Block -> the row of its last operator: what it hands on."""
        return {row.block: row for row in self.rows}

    @property
    def worst_block(self) -> OpSqnr:
        """The last operator of the block whose result is worst."""
        return min(self.blocks.values(), key=lambda row: row.db)

    @property
    def guided_block(self) -> OpSqnr | None:
        """The last operator of the deep guided block, if there is one."""
        for block, row in self.blocks.items():
            if block.endswith("guided"):
                return row
        return None

    def summary(self) -> dict:
        """What stands out, for `json.dumps`."""
        guided, loss = self.guided_block, self.greatest_loss
        return {
            "images": self.images,
            "worst": dataclasses.asdict(self.worst),
            "worst_block": dataclasses.asdict(self.worst_block),
            "greatest_loss": None if loss is None else dataclasses.asdict(loss),
            "guided_block_db": None if guided is None else guided.db,
        }

    def to_json(self) -> dict:
        """All of it, for `json.dumps`."""
        return {
            **self.summary(),
            "operators": [dataclasses.asdict(row) for row in self.rows],
            "unmatched": list(self.unmatched),
        }


def measure_sqnr(reference, quantized, images) -> SqnrTable:
    """Compares a quantised model with its float form, tensor by tensor.

    See `pair_operators` for what counts as a counterpart.

    Args:
        reference: bytes of the float `.tflite` file, of the graph that was
            quantised: it expects the same numbers.
        quantized: bytes of the int8 or uint8 `.tflite` file.
        images: iterable of arrays `(height, width, 3)` as the float model
            takes them; a few (8) give the ratios within about 1 dB.

    Raises:
        UserError: no images, a model that is not what it should be, or two
            that do not belong together.
    """
    forms = _Runner(reference), _Runner(quantized)
    pairs = pair_operators(*(form.graph for form in forms))
    signal, noise = np.zeros((2, len(pairs)))
    count = 0
    for image in images:
        image = np.asarray(image, np.float32)[None]
        for form in forms:
            form.run(image)
        for i, (op, other) in enumerate(pairs):
            x, error = forms[0].value(op), forms[1].value(other)
            # In place, and in float32: these are the largest tensors.
            error -= x
            signal[i] += np.vdot(x, x)
            noise[i] += np.vdot(error, error)
        count += 1
    if count == 0:
        raise UserError("signal to noise: no images were given, need 1 or more")
    return _table(forms[1].graph, pairs, _ratios(signal, noise), count)


class _Runner:
    """A model whose intermediate results can be read."""

    def __init__(self, content):
        self.graph = read_graph(content)
        try:
            self._interpreter = Interpreter(
                model_content=content,
                # Delegates would hide the tensors that they take over.
                experimental_op_resolver_type=(
                    OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                ),
                experimental_preserve_all_tensors=True,
                num_threads=2,
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"signal to noise: a model does not run here: {reason}"
            ) from None
        (self._input,) = self._interpreter.get_input_details()
        self._details = {
            tensor["index"]: tensor
            for tensor in self._interpreter.get_tensor_details()
        }

    def run(self, image):
        details = self._input
        if image.shape != tuple(details["shape"]):
            raise UserError(
                f"signal to noise: an image {image.shape} for a model that"
                f" takes {tuple(details['shape'])}"
            )
        values = _quantize(image, details)
        # Half a step is rounding; what is beyond was cut off.
        step = details["quantization"][0]
        if np.abs(dequantize(values, details) - image).max() > step:
            raise UserError(
                "signal to noise: the image lies outside of the quantised"
                " model's input range; give it as the float model takes it,"
                " and a float model of the same graph"
            )
        self._interpreter.set_tensor(details["index"], values)
        self._interpreter.invoke()

    def value(self, op):
        (index,) = op.outputs
        integers = self._interpreter.get_tensor(index)
        return dequantize(integers, self._details[index])


def _quantize(values, details):
    """Real values as the integers that a tensor holds for them."""
    scale, zero_point = details["quantization"]
    if scale == 0.0:
        return values.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    integers = np.rint(values / scale) + zero_point
    return np.clip(integers, limits.min, limits.max).astype(details["dtype"])


def _ratios(signal, noise):
    """10 log10 of signal to noise, within the limits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        db = 10 * np.log10(signal / noise)
    db = np.where(noise == 0, LIMIT_DB, db)
    return np.clip(db, -LIMIT_DB, LIMIT_DB)


def _table(graph, pairs, ratios, images):
    if not pairs:
        raise UserError(
            "signal to noise: no operator of the quantised model has a"
            " counterpart in the float one; are they of one network?"
        )
    inputs_of = sources(graph)
    by_index = {
        op.index: float(db) for (_, op), db in zip(pairs, ratios, strict=True)
    }
    rows = []
    for _, op in pairs:
        inputs = [by_index[i] for i in inputs_of[op.index] if i in by_index]
        db = by_index[op.index]
        name = _layer(graph, op)
        rows.append(
            OpSqnr(
                op.index,
                op.name,
                name,
                _block(name),
                round(db, 2),
                round(min(inputs) - db, 2) if inputs else None,
            )
        )
    unmatched = [
        graph.tensors[op.outputs[0]].name
        for op in comparable(graph)
        if op.index not in by_index
    ]
    return SqnrTable(tuple(rows), tuple(unmatched), images)


def _layer(graph, op):
    """The Keras layer in a name such as "net/layer_relu/Relu;net/layer/..."."""
    tensor = graph.tensors[op.outputs[0]]
    parts = tensor.name.partition(";")[0].split("/")
    if len(parts) > 1:
        return parts[1].removeprefix("quant_")
    # The converter calls results "Identity" or after the function.
    return "output" if tensor.index in graph.outputs else parts[0]


def _block(layer):
    guided = _GUIDED.match(layer)
    return guided[1] if guided else _PARTS.sub("", layer)

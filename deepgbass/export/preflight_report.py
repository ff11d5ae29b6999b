"""What a preflight says: of each operator, and of the whole model."""

import collections
import dataclasses
import json

from deepgbass.export.footprint import Footprint
from deepgbass.export.latency import Latency
from deepgbass.export.tflite_graph import COMPILED_OP


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What is predicted of one operator.

    Attributes:
        index: position in the file.
        name: "CONV_2D", or the code of a custom operator.
        version: of the operator.
        verdict: "mapped", "cpu", "uncertain" or "fatal". Beside a fatal
            operator: what the others would be without it.
        status: the compiler's words; of an uncertain operator, those for its
            being refused.
        reason, remedy: one sentence each, "" where there is nothing to say.
        place: "subgraph", "front" (on the CPU, before it), "frontier" (on
            the CPU by itself, fed by it) or "behind" (the frontier).
        depends: of a frontier operator, how many it strands; of an uncertain
            one, how many of the subgraph it would strand.
        output: name of its first output.
        shape: of its first output.
    """

    index: int
    name: str
    version: int
    verdict: str
    status: str
    reason: str
    remedy: str
    place: str
    depends: int
    output: str
    shape: tuple


@dataclasses.dataclass(frozen=True)
class PreflightReport:
    """What is to be expected of a model on the Edge TPU.

    Attributes:
        label: the file's path, or "the model".
        size_bytes: of the file.
        compiled: whether it went through the compiler, so that verdicts are
            read and not predicted.
        operators: tuple of `Prediction`, in the file's order.
        footprint: of the predicted subgraph, None where there is none.
        latency: ESTIMATE for the subgraph, None where there is none.
        packages: of a compiled model, those that could be read.
        notes: tuple of sentences about the whole model.
    """

    label: str
    size_bytes: int
    compiled: bool
    operators: tuple
    footprint: Footprint | None
    latency: Latency | None
    packages: tuple
    notes: tuple

    @property
    def fatal(self) -> tuple[Prediction, ...]:
        """Operators that end the compilation; then nothing is mapped."""
        return tuple(p for p in self.operators if p.verdict == "fatal")

    @property
    def uncertain(self) -> tuple[Prediction, ...]:
        """Operators of the subgraph that may yet be refused."""
        return tuple(
            p
            for p in self.operators
            if p.verdict == "uncertain" and p.place == "subgraph"
        )

    @property
    def root_causes(self) -> tuple[Prediction, ...]:
        """Operators that end the subgraph; the rest only lies behind them."""
        return tuple(p for p in self.operators if p.place == "frontier")

    @property
    def mapped(self) -> int:
        """How many operators run on the TPU if the uncertain ones do."""
        if self.fatal:
            return 0
        return sum(p.verdict in ("mapped", "uncertain") for p in self.operators)

    @property
    def all_mapped(self) -> bool:
        """Whether every operator is mapped, and none of them uncertain."""
        return all(p.verdict == "mapped" for p in self.operators)

    @property
    def subgraphs(self) -> int:
        """How many parts run on the TPU: predicted ones are one at most."""
        if self.compiled:
            return sum(p.name == COMPILED_OP for p in self.operators)
        return int(self.mapped > 0)

    @property
    def counts(self) -> dict:
        """Name of an operator -> verdict -> how many."""
        counts = collections.defaultdict(collections.Counter)
        for p in self.operators:
            counts[p.name][p.verdict] += 1
        return {name: dict(count) for name, count in counts.items()}

    def summary(self) -> dict:
        """What a model's description says of it, for `json.dumps`."""
        latency = self.latency
        return {
            "compiler": "rules for edgetpu_compiler 16.0",
            "basis": "read from the compiled model"
            if self.compiled
            else "predicted, not compiled",
            "mapped": self.mapped,
            "total": len(self.operators),
            "all_mapped": self.all_mapped,
            "uncertain_operators": len(self.uncertain),
            "fatal_operators": len(self.fatal),
            "subgraphs": self.subgraphs,
            "counts": self.counts,
            "latency_basis": "ESTIMATE for USB 3 at 500 MHz, not measured",
            "latency_ms": latency and [latency.low_ms, latency.high_ms],
        }

    def to_json(self) -> str:
        """Everything as JSON."""
        content = {
            "format": "deepgbass-preflight/1",
            **self.summary(),
            "root_causes": [p.index for p in self.root_causes],
            **dataclasses.asdict(self),
        }
        return json.dumps(content, indent=1) + "\n"

"""What `edgetpu_compiler -s` printed, as numbers, beside what was expected.

Its form is that of compilers 14.1 to 16.0. Others may say something else:
statuses are kept word for word, and lines that are not understood are kept.
"""

import collections
import dataclasses
import re

MAPPED = "Mapped to Edge TPU"
# Statuses of operators that stay on the CPU (google-coral/edgetpu issues).
CPU_STATUSES = frozenset(
    {
        "More than one subgraph is not supported",
        "Operation is working on an unsupported data type",
        "Operation is otherwise supported, but not mapped due to some "
        "unspecified limitation",
        "Operation not supported",
        "Operation version not supported",
        "Tensor has unsupported rank (up to 3 innermost dimensions mapped)",
        "Filter, bias, or other param is not constant at compile-time",
        "Image-interpolation layer won't run precisely enough on Edge TPU",
    }
)

_HEADER = re.compile(r"Operator\s+Count\s+Status")
_ROW = re.compile(r"(\S+)\s+(\d+)\s+(\S.*)")
_BANNER = re.compile(r"Edge TPU Compiler version (\S+)")
_COMPILED = re.compile(r"Model compiled successfully in (\d+) ms")
_ATTEMPT = "Started a compilation timeout timer"
_SIZE = re.compile(r"([\d.]+)\s*(B|KiB|MiB|GiB)$")
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZES = {
    "Input size": "input_bytes",
    "Output size": "output_bytes",
    "On-chip memory used for caching model parameters": "on_chip_bytes",
    "On-chip memory remaining for caching model parameters": (
        "on_chip_remaining_bytes"
    ),
    "Off-chip memory used for streaming uncached model parameters": (
        "off_chip_bytes"
    ),
}
_COUNTS = {
    "Number of Edge TPU subgraphs": "subgraphs",
    "Total number of operations": "total_operators",
    "Number of operations that will run on Edge TPU": "said_on_tpu",
    "Number of operations that will run on CPU": "said_on_cpu",
}
# Lines that say nothing that the fields do not.
_KNOWN = re.compile(
    r"Searching for valid delegate|Try to compile segment|Intermediate tensors"
    r"|Started a compilation timeout|Compilation child process completed"
    r"|Compilation succeeded|Input model|Output model|Operation log"
    r"|Model successfully compiled but|See the operation log"
)


@dataclasses.dataclass(frozen=True)
class OperatorCount:
    """One line of the table: an operator may have several.

    Attributes:
        operator: name as in the TFLite schema, e.g. "CONV_2D".
        count: how many of them have this status.
        status: the compiler's words.
        more: further columns, if there are any.
    """

    operator: str
    count: int
    status: str
    more: tuple[str, ...] = ()

    @property
    def place(self):
        """ "mapped", "cpu", or "unknown" for a status never seen."""
        if self.status == MAPPED:
            return "mapped"
        return "cpu" if self.status in CPU_STATUSES else "unknown"


@dataclasses.dataclass(frozen=True)
class CompilerLog:
    """What one run of the compiler said; None where it said nothing.

    Attributes:
        version: e.g. "16.0.384591198".
        compiled_ms: time of the compilation in ms, None if it failed.
        attempts: segments that were tried; above 1 with `-d`.
        input_bytes, output_bytes: sizes of the two files.
        on_chip_bytes, on_chip_remaining_bytes: memory of the chip that
            caches parameters, used and left.
        off_chip_bytes: parameters that are streamed in every inference.
        subgraphs: partitions on the Edge TPU.
        total_operators: of the model.
        said_on_tpu, said_on_cpu: sums, which it prints unless all are mapped.
        operators: `OperatorCount`s.
        other: lines that none of this covers.
    """

    version: str | None = None
    compiled_ms: int | None = None
    attempts: int = 0
    input_bytes: int | None = None
    output_bytes: int | None = None
    on_chip_bytes: int | None = None
    on_chip_remaining_bytes: int | None = None
    off_chip_bytes: int | None = None
    subgraphs: int | None = None
    total_operators: int | None = None
    said_on_tpu: int | None = None
    said_on_cpu: int | None = None
    operators: tuple[OperatorCount, ...] = ()
    other: tuple[str, ...] = ()

    @property
    def on_tpu(self):
        """Operators on the Edge TPU: the table's, or else the sum it said."""
        if self.operators:
            return sum(o.count for o in self.operators if o.place == "mapped")
        if self.said_on_tpu is None and self.subgraphs:
            return self.total_operators or 0
        return self.said_on_tpu or 0

    @property
    def on_cpu(self):
        """Operators anywhere else."""
        if self.operators:
            return sum(o.count for o in self.operators if o.place != "mapped")
        return self.said_on_cpu or 0

    def to_dict(self):
        """The log for JSON."""
        return {
            **dataclasses.asdict(self),
            "on_tpu": self.on_tpu,
            "on_cpu": self.on_cpu,
        }


def parse_log(text):
    """Reads what the compiler printed, on either stream or to its log file.

    Args:
        text: str. Where it holds several tables, the last one counts, which
            is that of the segment that compiled.

    Returns:
        `CompilerLog`.
    """
    found, operators, other, in_table = {}, [], [], False
    for line in filter(None, map(str.strip, text.splitlines())):
        if _HEADER.match(line):
            operators, in_table = [], True
        elif in_table and (row := _ROW.fullmatch(line)):
            status, *more = re.split(r"\s{2,}", row[3])
            operators.append(
                OperatorCount(row[1], int(row[2]), status, tuple(more))
            )
        elif banner := _BANNER.match(line):
            found["version"] = banner[1]
        elif compiled := _COMPILED.match(line):
            found["compiled_ms"] = int(compiled[1])
        elif not _read_value(line, found) and not _KNOWN.match(line):
            other.append(line)
        found["attempts"] = found.get("attempts", 0) + line.startswith(_ATTEMPT)
    return CompilerLog(operators=tuple(operators), other=tuple(other), **found)


def compare(log, predicted):
    """Where the compiler did something else than was expected.

    Args:
        log: `CompilerLog` of a model that compiled.
        predicted: dict of operator name -> dict of "mapped", "cpu",
            "uncertain" and "fatal" -> how many, as a preflight has it.

    Returns:
        dict for JSON: `agrees`, and `operators`, a list of those that differ:
        `operator`, `predicted`, and `compiled` (counts of "mapped", "cpu" and
        "unknown"). Uncertain ones may be mapped or not.
    """
    compiled = collections.defaultdict(collections.Counter)
    for row in log.operators:
        compiled[row.operator][row.place] += row.count
    differing = []
    for name in sorted({*predicted, *compiled}):
        expected = collections.Counter(predicted.get(name, {}))
        found = compiled[name]
        sure, unsure = expected["mapped"], expected["uncertain"]
        fits = (
            expected.total() == found.total()
            and sure <= found["mapped"] <= sure + unsure
            and not expected["fatal"]
        )
        if not fits:
            differing.append(
                {
                    "operator": name,
                    "predicted": {k: n for k, n in expected.items() if n},
                    "compiled": dict(found),
                }
            )
    return {"agrees": not differing, "operators": differing}


def _read_value(line, found):
    """Whether a line is a known "name: value"; notes the value."""
    name, colon, value = line.partition(": ")
    if not colon:
        return False
    value = value.strip()
    if name in _SIZES and (size := _SIZE.fullmatch(value)):
        found[_SIZES[name]] = round(float(size[1]) * _UNITS[size[2]])
        return True
    if name in _COUNTS and value.isdecimal():
        found[_COUNTS[name]] = int(value)
        return True
    return False

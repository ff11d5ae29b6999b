"""How a model is divided between the Edge TPU and the CPU: read off its file.

The model itself is asked, not the compiler's words about it.
"""

import collections
import dataclasses
import json
import pathlib

from deepgbass.errors import UserError

_MARK = b"edgetpu-custom-op"


@dataclasses.dataclass(frozen=True)
class Structure:
    """Operators and parameters of a model.

    Attributes:
        subgraphs: parts compiled for the Edge TPU, each one operator.
        cpu_operators: name -> how many of them the CPU runs.
        on_chip_bytes: parameters that stay in the Edge TPU's memory; None
            where it is not known.
        off_chip_bytes: parameters that are sent to it in every inference;
            None where it is not known.
        parameters_from: where these two numbers are from.
        min_runtime: version of libedgetpu's runtime that it needs, or None.
        compiler: version text, "" where there is none.
    """

    subgraphs: int
    cpu_operators: dict[str, int]
    on_chip_bytes: int | None = None
    off_chip_bytes: int | None = None
    parameters_from: str = ""
    min_runtime: int | None = None
    compiler: str = ""


def is_compiled(path):
    """Whether a model was compiled for the Edge TPU.

    Raises:
        UserError: the file cannot be read or is not a whole TFLite file.
    """
    try:
        from deepgbass.export.tflite_reader import read_graph
    except ImportError:  # No schema: the operator's name has to do.
        try:
            return _MARK in pathlib.Path(path).read_bytes()
        except OSError as error:
            raise UserError(
                f"{path} cannot be read: {error.strerror}"
            ) from None
    return read_graph(path).compiled


def read_structure(path, values=None):
    """The `Structure` of a model.

    Args:
        path: of the `.tflite` file. Off-chip bytes are taken from the
            compiler's log in numbers beside it (`NAME.log.json`), else from
            the description, else from the compiled package in the model.
        values: dict of the model's description.

    Returns:
        None without the schema, which comes with ai-edge-litert.

    Raises:
        UserError: it is not a whole TFLite file.
    """
    try:
        from deepgbass.export.edgetpu_package import read_package
        from deepgbass.export.tflite_graph import COMPILED_OP
        from deepgbass.export.tflite_reader import read_graph
    except ImportError:
        return None
    graph = read_graph(path)
    parts = [op for op in graph.operators if op.name == COMPILED_OP]
    others = collections.Counter(
        op.name for op in graph.operators if op.name != COMPILED_OP
    )
    if not parts:
        return Structure(0, dict(others))
    packages = [p for op in parts if (p := read_package(op.custom_data))]
    on_chip, off_chip, source = _parameters(path, values or {}, packages)
    return Structure(
        len(parts),
        dict(others),
        on_chip,
        off_chip,
        source,
        max((p.min_runtime_version for p in packages), default=None),
        next((p.compiler for p in packages if p.compiler), ""),
    )


def _parameters(path, values, packages):
    """(on-chip bytes, off-chip bytes, where from)."""
    log = pathlib.Path(path).with_suffix(".log.json")
    try:
        found = json.loads(log.read_bytes())["log"]
    except (OSError, ValueError, LookupError, TypeError):
        found = None
    for numbers, source in (
        (found, log.name),
        (values.get("compiled"), "the model's description"),
    ):
        if isinstance(numbers, dict):
            sizes = numbers.get("on_chip_bytes"), numbers.get("off_chip_bytes")
            if all(isinstance(size, int) for size in sizes):
                return *sizes, source
    if not packages:
        return None, None, ""
    return (
        sum(package.cached_bytes for package in packages),
        sum(package.streamed_bytes for package in packages),
        "the compiled package",
    )

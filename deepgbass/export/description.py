"""What an exported model says about itself: all that its user needs.

The same JSON lies beside the model (`NAME.json`) and within it, so that one
file is enough. Reading needs NumPy at most: neither TensorFlow nor an
interpreter. Only the one beside the model holds `sha256`, the digest of the
model's file: after one of the two was replaced, it no longer counts.
"""

import dataclasses
import hashlib
import json
import pathlib
import warnings

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.export.choices import OUTPUTS
from deepgbass.export.metadata import read_metadata, write_metadata
from deepgbass.files import write_atomic

FORMAT = "deepgbass-model/2"
# Of the entry within the model.
ENTRY = "deepgbass-model"


@dataclasses.dataclass(frozen=True)
class ModelDescription:
    """A description that was read and found to be one.

    Attributes:
        dataset: `DatasetInfo`: classes, colours, protocol.
        size: (height, width) of the input in pixels.
        longer_side: None, or pixels that every image's longer side gets
            where `size` has room; see `letterbox.letterbox`.
        padding: the byte around smaller images.
        output: one of `choices.OUTPUTS`.
        output_size: (height, width) of the output.
        stride: input pixels an output pixel.
        align_corners: how logits are to be resized; see `Resize`.
        values: all of the JSON: also `metrics`, `config`, `versions`,
            `compiled`, `preflight`, the tensors' `dtype`, `scale` and
            `zero_point`.
    """

    dataset: DatasetInfo
    size: tuple[int, int]
    longer_side: int | None
    padding: int
    output: str
    output_size: tuple[int, int]
    stride: int
    align_corners: bool
    values: dict = dataclasses.field(repr=False)


def parse(values):
    """The `ModelDescription` in what was JSON.

    Raises:
        UserError: it is of another format, or a value is missing or wrong.
    """
    if not isinstance(values, dict) or "format" not in values:
        raise UserError("no key 'format'")
    if values["format"] != FORMAT:
        raise UserError(f"its format is {values['format']!r}, not {FORMAT!r}")
    source = _need(values, "input", dict)
    result = _need(values, "output", dict)
    output = _need(result, "content", str)
    if output not in OUTPUTS:
        raise UserError(f"its output is {output!r}, none of {OUTPUTS}")
    longer_side = source.get("longer_side")
    if longer_side is not None and not _is_size(longer_side):
        raise UserError(f"longer_side is {longer_side!r}, not pixels or null")
    padding = _need(source, "padding", int)
    if not 0 <= padding <= 255:
        raise UserError(f"padding is {padding}, not a byte")
    return ModelDescription(
        DatasetInfo.from_json(json.dumps(_need(values, "dataset", dict))),
        _need_size(source),
        longer_side,
        padding,
        output,
        _need_size(result),
        _need(result, "stride", int),
        _need(result, "align_corners", bool),
        values,
    )


def write_described(path, content, values):
    """Writes a model with its description within and beside it.

    Args:
        path: of the `.tflite` file; the JSON gets the suffix `.json`.
        content: bytes of the model, with or without a description.
        values: dict, from `describe`.

    Returns:
        bytes that were written to `path`.
    """
    path = pathlib.Path(path)
    values = {key: x for key, x in values.items() if key != "sha256"}
    inside = json.dumps(values, separators=(",", ":")).encode()
    content = write_metadata(content, ENTRY, inside)
    values["sha256"] = hashlib.sha256(content).hexdigest()
    write_atomic(path, content)
    write_atomic(path.with_suffix(".json"), json.dumps(values, indent=2) + "\n")
    return content


def read_description(path):
    """The description of a model, from beside it or else from within it.

    Args:
        path: of a `.tflite` file.

    Returns:
        `ModelDescription`. Warns where the file beside the model does not
        count because it is broken or belongs to another model.

    Raises:
        UserError: `path` cannot be read, or neither place holds a
            description of it.
    """
    path = pathlib.Path(path)
    sidecar = path.with_suffix(".json")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return _parse_json(sidecar.read_bytes(), content)
    except FileNotFoundError:
        problem = None
    except OSError as error:
        problem = f"{sidecar} cannot be read: {error.strerror}"
    except UserError as error:
        problem = f"{sidecar} does not describe {path.name}: {error}"
    try:
        inside = read_metadata(content, ENTRY)
    except UserError as error:
        raise UserError(f"{path} is not a TFLite model: {error}") from None
    if inside is None:
        problem = problem or f"{path} has no {sidecar.name} beside it"
        raise UserError(
            f"{problem}, and the model holds no description either; export it "
            "again with export_tflite.py, which writes both"
        )
    try:
        found = _parse_json(inside)
    except UserError as error:
        raise UserError(
            f"{problem or path}; the description within the model: {error}; "
            "export it again"
        ) from None
    if problem:
        warnings.warn(f"{problem}; read the one within", stacklevel=2)
    return found


def _parse_json(text, content=None):
    """The description in bytes, if it belongs to the model `content`."""
    try:
        values = json.loads(text)
    except ValueError as error:  # Not JSON, or not UTF-8.
        raise UserError(f"not JSON: {error}") from None
    found = parse(values)
    if content is not None:
        digest = hashlib.sha256(content).hexdigest()
        if values.get("sha256") != digest:
            raise UserError(
                "its sha256 is that of another file: one of the two was "
                "replaced"
            )
    return found


def _need(values, key, kind):
    if key not in values:
        raise UserError(f"no key {key!r}")
    # A bool is an int to Python.
    if type(values[key]) is not kind:
        raise UserError(
            f"{key} is {values[key]!r}, not of type {kind.__name__}"
        )
    return values[key]


def _need_size(values):
    size = _need(values, "size", list)
    if len(size) != 2 or not all(map(_is_size, size)):
        raise UserError(f"size is {size!r}, not height and width in pixels")
    return tuple(size)


def _is_size(value):
    return type(value) is int and value > 0

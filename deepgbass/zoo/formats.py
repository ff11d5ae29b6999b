"""What a file of weights is, told by its content and never by its suffix."""

import dataclasses
import pathlib
import re

from deepgbass.errors import UserError

# The last eight bytes of a table file, which the index of a checkpoint is.
INDEX_MAGIC = bytes.fromhex("57fb808b247547db")
TFLITE_MAGIC = b"TFL3"

_HDF5 = b"\x89HDF\r\n\x1a\n"
_DATA_FILE = re.compile(r"(.+)\.data-\d{5}-of-\d{5}$")


@dataclasses.dataclass(frozen=True)
class WeightFile:
    """A file that `load_zoo_weights` can read.

    Attributes:
        format: "TF1 checkpoint" or "TFLite".
        path: the file, for a checkpoint its prefix (without ".index").
    """

    format: str
    path: pathlib.Path


def identify(path) -> WeightFile:
    """Finds out what `path` is.

    Args:
        path: a `.tflite` file; or a checkpoint: its prefix, its index or data
            file, or a folder with one checkpoint.

    Raises:
        UserError: it is neither; the message says what it seems to be.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return _identify_folder(path)
    index = path.with_name(f"{path.name}.index")
    data = _DATA_FILE.match(path.name)
    if data:
        index = path.with_name(f"{data[1]}.index")
        if not index.is_file():
            raise UserError(
                f"{path} is the data of a checkpoint whose index {index.name}"
                " is missing; both are needed"
            )
    if index.is_file() and (data or not path.is_file()):
        return _identify_index(index)
    if not path.is_file():
        raise UserError(
            f"{path}: there is no such file, folder or checkpoint prefix"
        )

    head, tail = _ends(path)
    if not head:
        raise UserError(f"{path} is empty; fetch it again")
    if head[4:8] == TFLITE_MAGIC:
        return WeightFile("TFLite", path)
    if tail == INDEX_MAGIC or path.suffix == ".index":
        return _identify_index(path)
    raise UserError(f"{path} is {_guess(head)}")


def _identify_folder(folder):
    if (folder / "saved_model.pb").is_file():
        raise UserError(
            f"{folder} is a SavedModel; give the TF1 checkpoint or the .tflite"
            " file that was published with it"
        )
    named = sorted(folder.glob("*.index"))
    # Of broken ones alone, the first says what is wrong.
    whole = [index for index in named if _ends(index)[1] == INDEX_MAGIC]
    found = whole or named[:1]
    if not found:
        raise UserError(
            f"{folder} is a folder without a checkpoint (no .index file);"
            " give the file itself"
        )
    if len(found) > 1:
        listed = ", ".join(index.stem for index in found[:5])
        raise UserError(
            f"{folder} holds {len(found)} checkpoints; give one of {listed}"
        )
    return _identify_index(found[0])


def _identify_index(index):
    head, tail = _ends(index)
    if tail != INDEX_MAGIC:
        state = "empty" if not head else "cut short or not a checkpoint's index"
        raise UserError(f"{index} is {state}; fetch it again")
    if index.suffix != ".index":
        raise UserError(
            f"{index} is the index of a checkpoint; call it NAME.index, beside"
            " its NAME.data-00000-of-00001"
        )
    prefix = index.with_suffix("")
    if not any(
        _DATA_FILE.match(other.name)
        for other in index.parent.glob(f"{_escaped(prefix.name)}.data-*")
    ):
        raise UserError(
            f"{index} has no {prefix.name}.data-00000-of-00001 beside it; the"
            " weights are in that file"
        )
    return WeightFile("TF1 checkpoint", prefix)


def _ends(path):
    """The first 1,024 and the last 8 bytes of a file."""
    with open(path, "rb") as file:
        head = file.read(1024)
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        return head, file.read()


def _escaped(name):
    return re.sub(r"([*?\[])", r"[\1]", name)


def _guess(head):
    """What the first bytes of a file say it is, and what to do instead."""
    if head.startswith(b"\x1f\x8b") or head[257:262] == b"ustar":
        return "a .tar.gz archive; unpack it and give what is inside"
    if head.startswith(b"PK"):
        return (
            "a zip archive (a .keras file?); give the TF1 checkpoint or the"
            " .tflite file"
        )
    if head.startswith(_HDF5):
        return (
            "an HDF5 file of Keras weights; use model.load_weights for those"
            " of this package"
        )
    if head.startswith(b"model_checkpoint_path:"):
        return (
            "the text file that names the newest checkpoint; give the"
            " checkpoint itself"
        )
    if re.match(rb"\x08\x01\x12", head):
        return "a SavedModel's graph; give the TF1 checkpoint or .tflite file"
    # Field 1 of a GraphDef: a node, with a name (1) and an operation (2).
    node = rb"\x0a[\x80-\xff]*[\x00-\x7f]\x0a.[\w./^-]+\x12.[A-Z]\w+"
    if re.match(node, head, re.DOTALL):
        return (
            "a frozen GraphDef; give the checkpoint (.index and .data files)"
            " that comes with it in the zoo's archive"
        )
    return (
        "neither a TF1 checkpoint nor a .tflite file, or it is corrupt;"
        " python -m deepgbass.zoo lists files that can be fetched"
    )

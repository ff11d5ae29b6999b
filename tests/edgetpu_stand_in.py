"""A library in libedgetpu's place, and models that only it can run."""

import hashlib
import pathlib
import shutil
import subprocess

import pytest
from tflite_files import Builder

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.export.description import FORMAT, write_described

SIZE = (8, 12)
NAMES = ("road", "car", "sky")


def build_library(folder):
    """Compiles the stand-in; skips the test where there is no compiler.

    Returns:
        path of the shared library, named as the real one.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to build the stand-in for libedgetpu with")
    source = pathlib.Path(__file__).with_name("stand_in_edgetpu.c")
    library = pathlib.Path(folder, "libedgetpu.so.1")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)],
        check=True,
    )
    return library


def description(size=SIZE, output="logits", dtype="int8", compiled=None):
    """Values that describe the models of this file."""
    import json

    info = DatasetInfo("toy", NAMES)
    return {
        "format": FORMAT,
        "name": "toy",
        "input": {"size": list(size), "longer_side": None, "padding": 128},
        "output": {
            "content": output,
            "size": list(size),
            "stride": 1,
            "align_corners": False,
            "dtype": dtype,
        },
        "dataset": json.loads(info.to_json()),
        "compiled": compiled,
    }


def write_model(path, size=SIZE, dtype="int8", **fields):
    """A model whose logits are the image: a RESHAPE to the same shape."""
    builder = Builder()
    source = builder.image(1, *size, 3, dtype=dtype)
    shape = builder.ints(1, *size, 3)
    result = builder.tensor((1, *size, 3), dtype)
    builder.op("RESHAPE", [source, shape], [result])
    content = builder.content()
    return write_described(path, content, description(size, **fields))


def write_compiled(path, twin, size=SIZE, dtype="int8"):
    """The same as one `edgetpu-custom-op`, as if compiled from `twin`.

    Args:
        path: to write to.
        twin: bytes of the model that it is to be compiled from.
    """
    builder = Builder()
    source = builder.image(1, *size, 3, dtype=dtype)
    result = builder.tensor((1, *size, 3), dtype)
    builder.op("CUSTOM", [source], [result], custom="edgetpu-custom-op")
    compiled = {
        "on_chip_bytes": 4096,
        "off_chip_bytes": 512,
        "source_sha256": hashlib.sha256(twin).hexdigest(),
    }
    values = description(size, compiled=compiled)
    return write_described(path, builder.content(), values)


def write_pair(folder):
    """`toy.tflite` and `toy_edgetpu.tflite`; returns the latter's path."""
    folder = pathlib.Path(folder)
    twin = write_model(folder / "toy.tflite")
    compiled = folder / "toy_edgetpu.tflite"
    write_compiled(compiled, twin)
    return compiled

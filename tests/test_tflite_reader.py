"""Reading `.tflite` files: what is in them, and that none breaks it."""

import random
import subprocess
import sys
import time

import numpy as np
import pytest
from tflite_files import Builder

from deepgbass.errors import UserError
from deepgbass.export import tflite_reader
from deepgbass.export.preflight import preflight
from deepgbass.export.preflight_text import as_text
from deepgbass.export.tflite_reader import read_graph


def test_reads_operators_tensors_and_constants():
    b = Builder()
    x = b.image(1, 8, 8, 4, dtype="uint8")
    shape = b.ints(1, 256)
    b.op("RESHAPE", [x, shape], [b.tensor((1, 256), "uint8")], version=2)
    graph = read_graph(b.content())
    (op,) = graph.operators
    assert (op.name, op.version, op.inputs) == ("RESHAPE", 2, (x, shape))
    assert graph.tensors[shape].values().tolist() == [1, 256]
    assert graph.tensors[x].values() is None
    assert graph.tensors[x].nbytes == 256
    assert graph.tensors[x].zero_point == 3
    assert graph.inputs == (x,) and graph.outputs == op.outputs
    assert not graph.compiled and graph.other_graphs == 0


def test_custom_and_young_operators_are_named():
    b = Builder()
    x = b.unary("CUSTOM", b.image(), custom="PosenetDecoderOp")
    b.unary("STABLEHLO_GATHER", x)
    names = [op.name for op in read_graph(b.content()).operators]
    assert names == ["PosenetDecoderOp", "STABLEHLO_GATHER"]


def test_indices_that_lead_nowhere_are_refused():
    for inputs, outputs in (([9], [1]), ([0], [9]), ([-2], [1]), ([0], [-1])):
        b = Builder()
        b.image()
        b.tensor((1, 8, 8, 4))
        b.op("RELU", inputs, outputs)
        with pytest.raises(UserError, match="corrupt"):
            read_graph(b.content(1))


def test_constants_of_another_size_than_their_shape_are_refused():
    b = Builder()
    constant = b.tensor((4,), values=1)
    b.op("ADD", [b.image(), constant], [b.tensor((1, 8, 8, 4))])
    b._tensors[constant].shape = [5]
    with pytest.raises(UserError, match="4"):
        read_graph(b.content())


def test_huge_files_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tflite_reader, "_MAX_BYTES", 1000)
    path = tmp_path / "big.tflite"
    path.write_bytes(bytes(1001))
    with pytest.raises(UserError, match="MiB"):
        read_graph(path)


def sample():
    """A file that has something of everything."""
    b = Builder()
    x = b.convolution(b.image(1, 8, 8, 4, shapeSignature=[1, 8, 8, 4]))
    pads = b.tensor((4, 2), "int32", [[0, 0], [1, 0], [0, 0], [0, 0]])
    padded = b.tensor((1, 9, 8, 4))
    b.op("PAD", [x, pads], [padded])
    b.op(
        "RESIZE_BILINEAR",
        [padded, b.ints(18, 16)],
        [b.tensor((1, 18, 16, 4))],
        options=("ResizeBilinearOptions", {"halfPixelCenters": True}),
    )
    b.unary("CUSTOM", b.unary("LEAKY_RELU", b.convolution(x)), custom="Own")
    return b.content()


def survives(content):
    """Whether a damaged file is read; fails if it is not refused properly."""
    started = time.perf_counter()
    try:
        report = preflight(content)
        as_text(report)
        report.to_json()
        read = True
    except UserError as error:
        assert "\n" not in str(error)
        read = False
    assert time.perf_counter() - started < 10
    return read


def test_no_truncation_breaks_it():
    content = sample()
    assert survives(content)
    assert not any(survives(content[:n]) for n in range(0, 200))
    for n in range(200, len(content), 7):
        survives(content[:n])


def test_no_flipped_bit_breaks_it():
    content = sample()
    refused = 0
    for position in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        refused += not survives(bytes(damaged))
    assert 0 < refused < len(content) // 5


def test_no_damage_to_real_models_breaks_it(shared):
    rng = random.Random(0)
    for name in ("quant", "quant_edgetpu"):
        path = shared / f"zoo/deeplabv3_mnv2_dm05_pascal_{name}.tflite"
        content = path.read_bytes()
        for _ in range(10):
            survives(content[: rng.randrange(len(content))])
        for _ in range(30):
            damaged = bytearray(content)
            # Tables lie at either end, weights between.
            middle = rng.choice([rng.randrange(len(content)), None])
            near = rng.randrange(40_000) * rng.choice([1, -1])
            position = near if middle is None else middle
            damaged[position] ^= 1 << rng.randrange(8)
            survives(bytes(damaged))
        noise = np.frombuffer(content, np.uint8).copy()
        where = [rng.randrange(8, len(noise)) for _ in range(2000)]
        noise[where] = [rng.randrange(256) for _ in where]
        survives(noise.tobytes())


def test_needs_no_tensorflow():
    code = (
        "import sys; import deepgbass.export.preflight;"
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

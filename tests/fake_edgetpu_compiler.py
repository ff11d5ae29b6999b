"""A stand-in for `edgetpu_compiler`: replays logs, hangs, crashes.

The logs have the form of real ones (google-coral/edgetpu's issues), with
numbers of our own.
"""

import json
import pathlib
import sys

from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder

BANNER = "Edge TPU Compiler version 16.0.384591198\n"
BEGUN = "Started a compilation timeout timer of 600 seconds.\n"
CHILD_DONE = "Compilation child process completed within timeout period.\n"
FAILED = "Compilation failed! \n"

# What runs: each call but --version takes the next entry of `runs.json` and
# stays with the last.
_PROGRAM = """#!{python} -IS
import json, os, pathlib, signal, subprocess, sys, time
here = pathlib.Path({folder!r})
calls = json.loads((here / "calls.json").read_text())
(here / "calls.json").write_text(json.dumps(calls + [sys.argv[1:]]))
if "--version" in sys.argv:
    print({version!r})
    sys.exit(0)
runs = json.loads((here / "runs.json").read_text())
done = len([call for call in calls if "--version" not in call])
run = runs[min(done, len(runs) - 1)]
sys.stdout.buffer.write(run["output"].encode("latin-1"))
sys.stdout.flush()
out = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
stem = out / (pathlib.Path(sys.argv[-1]).stem + "_edgetpu")
if run["model"]:
    stem.with_suffix(".tflite").write_bytes(
        (here / run["model"]).read_bytes()
    )
if run["log"]:
    stem.with_suffix(".log").write_text(run["log"])
if run["end"] == "hang":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"])
    (here / "pids.json").write_text(json.dumps([os.getpid(), child.pid]))
    time.sleep(600)
elif run["end"] == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
sys.exit(run["end"])
"""


class FakeCompiler:
    """A program `edgetpu_compiler` in a folder for PATH."""

    def __init__(self, folder, version="16.0.384591198"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "edgetpu_compiler"
        self.path.write_text(
            _PROGRAM.format(
                python=sys.executable,
                folder=str(self.folder),
                version=f"Edge TPU Compiler version {version}",
            )
        )
        self.path.chmod(0o755)
        (self.folder / "calls.json").write_text("[]")
        (self.folder / "compiled").write_bytes(compiled_model())

    def will(self, *runs):
        """Sets what the next calls do: dicts of `replay`."""
        (self.folder / "runs.json").write_text(json.dumps(runs))

    @property
    def calls(self):
        """Arguments of each call but that for the version."""
        calls = json.loads((self.folder / "calls.json").read_text())
        return [call for call in calls if "--version" not in call]

    @property
    def pids(self):
        return json.loads((self.folder / "pids.json").read_text())


def replay(output, end=0, model=None, log=None):
    """One call: prints `output`, leaves `model` and `log`, ends as `end`.

    Args:
        output: str of Latin-1: characters are bytes.
        end: exit status, "hang" (with a child, deaf to SIGTERM) or "crash".
        model: None or the name of a file beside the program.
        log: None or the text of the log file.
    """
    return {"output": output, "end": end, "model": model, "log": log}


def table(*rows):
    """The operator table of (name, count, status)."""
    lines = [f"{'Operator':<31}{'Count':<11}Status", ""]
    lines += [f"{name:<31}{count:<11}{status}" for name, count, status in rows]
    return "\n".join(lines) + "\n"


def success_log(*rows, version="16.0.384591198"):
    """What the compiler prints of a model with these operators."""
    on_tpu = sum(n for _, n, status in rows if status == "Mapped to Edge TPU")
    total = sum(n for _, n, _ in rows)
    partial = (
        "Model successfully compiled but not all operations are supported by "
        "the Edge TPU. A percentage of the model will instead run on the CPU, "
        "which is slower.\n"
        f"Number of operations that will run on Edge TPU: {on_tpu}\n"
        f"Number of operations that will run on CPU: {total - on_tpu}\n"
    )
    return (
        f"Edge TPU Compiler version {version}\n"
        "Searching for valid delegate with step 1\n"
        f"Try to compile segment with {total} ops\n{BEGUN}\n"
        "Model compiled successfully in 986 ms.\n\n"
        "Input model: model_int8.tflite\nInput size: 2.88MiB\n"
        "Output model: model_int8_edgetpu.tflite\nOutput size: 3.31MiB\n"
        "On-chip memory used for caching model parameters: 3.86MiB\n"
        "On-chip memory remaining for caching model parameters: 74.00KiB\n"
        "Off-chip memory used for streaming uncached model parameters: 0.00B\n"
        f"Number of Edge TPU subgraphs: {min(on_tpu, 1)}\n"
        f"Total number of operations: {total}\n"
        "Operation log: model_int8_edgetpu.log\n"
        f"{partial if on_tpu < total else ''}\n"
        f"{table(*rows)}{CHILD_DONE}Compilation succeeded! \n"
    )


def model_with(operator):
    """The smallest TFLite file: one custom operator on 4 bytes.

    Args:
        operator: name of the custom operator.
    """
    tensors = [schema.TensorT(), schema.TensorT()]
    for name, tensor in zip((b"image", b"logits"), tensors, strict=True):
        tensor.name, tensor.shape = name, [1, 4]
        tensor.type, tensor.buffer = schema.TensorType.INT8, 0
    code, op = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = (
        schema.BuiltinOperator.CUSTOM
    )
    code.customCode, code.version = operator, 1
    op.inputs, op.outputs, op.opcodeIndex = [0], [1], 0
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors, graph.operators = tensors, [op]
    graph.inputs, graph.outputs = [0], [1]
    model.version, model.operatorCodes = 3, [code]
    model.subgraphs, model.buffers = [graph], [schema.BufferT()]
    model.description = "Exported from Subgraph."
    builder = Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def compiled_model():
    """A file as the compiler makes them."""
    return model_with(b"edgetpu-custom-op")

"""Runs Google's `edgetpu_compiler` on an exported model, where there is one.

The compiler is closed source and comes from Google's apt source alone, so it
is optional. Nothing that it says is taken on trust: it has been seen to end
with status 0 without mapping anything, to hang, to crash and to fail at
random (`compiler_faults`).

Beside NAME.tflite, a compilation leaves NAME_edgetpu.tflite with its
description, NAME_edgetpu.log as the compiler printed it, and
NAME_edgetpu.log.json: the log in numbers and how it differs from the
preflight. After a failure, NAME_edgetpu_failed.log and .log.json say why, and
an earlier compiled model stays as it was.
"""

import dataclasses
import hashlib
import json
import pathlib
import platform
import re
import shutil
import sys
import time

from deepgbass.errors import UserError
from deepgbass.export import compiler_faults
from deepgbass.export.bounded_process import run_bounded
from deepgbass.export.compiler_faults import Fault
from deepgbass.export.compiler_log import CompilerLog, compare, parse_log
from deepgbass.export.description import write_described
from deepgbass.export.preflight import preflight
from deepgbass.files import (
    require_writable,
    temporary_folder,
    write_atomic,
)
from deepgbass.progress import console

PROGRAM = "edgetpu_compiler"
CUSTOM_OP = b"edgetpu-custom-op"
# Seconds that the compiler may spend on one segment, by its own clock.
_ATTEMPT_SECONDS = 600
# The first version that knows -d and -t.
_SEARCHING_VERSION = 16

_KEYRING = "/usr/share/keyrings/coral-edgetpu.gpg"
_APT = "https://packages.cloud.google.com/apt"
INSTALL = (
    f"curl -fsSL {_APT}/doc/apt-key.gpg | sudo gpg --dearmor -o {_KEYRING} && "
    f'echo "deb [signed-by={_KEYRING}] {_APT} coral-edgetpu-stable main" | '
    "sudo tee /etc/apt/sources.list.d/coral-edgetpu.list && "
    "sudo apt-get update && sudo apt-get install edgetpu-compiler"
)


@dataclasses.dataclass(frozen=True)
class Compilation:
    """What a successful compilation gave.

    Attributes:
        path: of the compiled model.
        log: `CompilerLog`.
        comparison: of `compare`, None if nothing was predicted.
    """

    path: pathlib.Path
    log: CompilerLog
    comparison: dict | None


def find_compiler(program=None):
    """The path of the compiler, None where there is none.

    Args:
        program: str or Path that the user named, None to search PATH.

    Raises:
        UserError: `program` is not a program.
    """
    found = shutil.which(str(program or PROGRAM))
    if program is not None and found is None:
        raise UserError(
            f"--edgetpu_compiler={program} is not a program that can be run; "
            "leave it out to search PATH"
        )
    return found


def missing_compiler():
    """One line for a host without the compiler: why, and what to do."""
    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine != "x86_64":
        return (
            f"{PROGRAM} runs on x86-64 Linux only, not on {sys.platform} "
            f"{machine}: to compile the model, copy it there; install with: "
            f"{INSTALL}"
        )
    return f"{PROGRAM} is not installed: nothing compiled. Install: {INSTALL}"


def compile_model(
    path,
    *,
    predicted=None,
    description=None,
    program=None,
    require=False,
    time_limit=1800,
):
    """Compiles a model for the Edge TPU and writes the result beside it.

    Args:
        path: of `NAME.tflite`, full-integer.
        predicted: None, or what the preflight expects; see `compare`.
        description: None, or the model's, of `describe`; the compiled model
            gets it too, as the compiler drops what lay in the model.
        program: of `find_compiler`.
        require: whether a missing compiler is an error rather than a line.
        time_limit: seconds for one run of the compiler.

    Returns:
        `Compilation`, None without a compiler.

    Raises:
        UserError: the compiler failed, mapped nothing, or is missing though
            required; or `path` is compiled already.
    """
    path = pathlib.Path(path)
    source = path.read_bytes()
    if CUSTOM_OP in source:
        raise UserError(
            f"{path} is compiled already; name the model it was made from"
        )
    compiled = path.with_name(f"{path.stem}_edgetpu.tflite")
    program = find_compiler(program)
    if program is None:
        if require:
            raise UserError(missing_compiler())
        console.print(missing_compiler())
        _name_older(compiled, source)
        return None
    require_writable(path.parent)
    flags = _flags(program)
    console.print(f"Compiling {path.name} for the Edge TPU ...")
    for _ in range(2):
        began = time.perf_counter()
        result, output, log = _compile(program, flags, path, time_limit)
        seconds = time.perf_counter() - began
        if not (isinstance(result, Fault) and result.flaky):
            break
    fault = result if isinstance(result, Fault) else None
    record = {
        "outcome": fault.kind if fault else "compiled",
        "message": fault.message if fault else None,
        "command": [program, *flags],
        "seconds": round(seconds, 3),
        "log": log.to_dict(),
        "comparison": None,
    }
    failed = path.with_name(f"{path.stem}_edgetpu_failed.log")
    if fault:
        _write_log(failed, output, record)
        _name_older(compiled, source)
        raise UserError(
            f"{PROGRAM} failed on {path}: {fault.message} (what it printed: "
            f"{failed})"
        )
    if predicted is not None:
        record["comparison"] = compare(log, predicted)
    if description is None:
        write_atomic(compiled, result)
    else:
        of_result = {
            "compiled": _summary(log, source),
            "preflight": preflight(result).summary(),
        }
        write_described(compiled, result, {**description, **of_result})
    _write_log(compiled.with_suffix(".log"), output, record)
    failed.unlink(missing_ok=True)
    pathlib.Path(f"{failed}.json").unlink(missing_ok=True)
    return Compilation(compiled, log, record["comparison"])


def _name_older(compiled, source):
    """Says where a compiled model stays that is not of the model's bytes."""
    try:
        values = json.loads(compiled.with_suffix(".json").read_text())
        digest = values["compiled"]["source_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if compiled.exists() and digest != hashlib.sha256(source).hexdigest():
        console.print(
            f"{compiled} stays: it was compiled from an earlier export"
        )


def _flags(program):
    """The options that this version of the compiler knows."""
    output, _ = run_bounded([program, "--version"], time_limit=60)
    version = re.search(rb"version (\d+)", output)
    if version and int(version[1]) >= _SEARCHING_VERSION:
        return ["-s", "-d", "-t", str(_ATTEMPT_SECONDS)]
    return ["-s"]


def _compile(program, flags, path, time_limit):
    """One run: (bytes of the model or `Fault`, bytes printed, their log)."""
    # Not beside the model's own name, whose leftovers an export clears away.
    compiled = path.with_stem(f"{path.stem}_edgetpu")
    with temporary_folder(compiled) as folder:
        command = [program, *flags, "-o", str(folder), str(path.resolve())]
        output, status = run_bounded(command, time_limit)
        text = _decode(output)
        log = parse_log(text)
        stem = folder / f"{path.stem}_edgetpu"
        if not log.operators and stem.with_suffix(".log").is_file():
            # Without -s, or so it was once, the table is only there.
            output += b"\n" + stem.with_suffix(".log").read_bytes()
            log = parse_log(_decode(output))
        model = stem.with_suffix(".tflite")
        if status is None:
            return compiler_faults.out_of_time(time_limit), output, log
        if status or log.compiled_ms is None or not model.is_file():
            return compiler_faults.diagnose(text, status), output, log
        if not log.on_tpu:
            return compiler_faults.nothing_mapped(log), output, log
        content = model.read_bytes()
        if not _is_compiled(content):
            return compiler_faults.broken_model(), output, log
        return content, output, log


def _decode(output):
    # Tensor names may hold anything; what is not text stays visible.
    return output.decode("utf-8", errors="backslashreplace")


def _is_compiled(content):
    """Whether bytes are a whole TFLite file with a part for the Edge TPU."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        # Checks every offset; it need not know the custom operator for that.
        Interpreter(model_content=content)
    except ValueError:
        return False
    return CUSTOM_OP in content


def _summary(log, source):
    """What a compiled model's description says of the compilation."""
    return {
        "compiler": log.version,
        "compiled_ms": log.compiled_ms,
        "on_tpu": log.on_tpu,
        "on_cpu": log.on_cpu,
        "subgraphs": log.subgraphs,
        "on_chip_bytes": log.on_chip_bytes,
        "off_chip_bytes": log.off_chip_bytes,
        "source_sha256": hashlib.sha256(source).hexdigest(),
    }


def _write_log(path, output, record):
    write_atomic(path, output)
    write_atomic(f"{path}.json", json.dumps(record, indent=2) + "\n")

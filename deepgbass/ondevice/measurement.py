"""Runs a benchmark in a process of its own.

libedgetpu ends its process where a device is unplugged, and crashes where it
was built for another interpreter. So the models run in a child, which passes
on what it has measured; the parent survives it and says what happened.
"""

import dataclasses
import hashlib
import math
import multiprocessing
import os
import pathlib
import tempfile
import warnings

import numpy as np

from deepgbass.errors import UserError
from deepgbass.ondevice import agreement, delegate_faults
from deepgbass.ondevice.delegate import open_accelerator, runs_on_edgetpu
from deepgbass.ondevice.latency import PHASES, take_turns
from deepgbass.ondevice.machine import Machine
from deepgbass.ondevice.model import OnDeviceModel
from deepgbass.ondevice.pictures import load_pictures
from deepgbass.ondevice.runtime import find_runtime
from deepgbass.ondevice.structure import is_compiled, read_structure

# Seconds between two looks at how far a child is.
_LOOK_EVERY = 0.2


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        models: paths of `.tflite` files; ratios are to the first one.
        delegate: of `runs_on_edgetpu`.
        device, library: of `open_accelerator`.
        cpu_model: the first model's twin, where it is not beside it.
        images: paths of pictures; none: made-up ones.
        runs: timed rounds.
        warmup: rounds before them.
        threads, xnnpack: of `OnDeviceModel`.
    """

    models: tuple[str, ...]
    delegate: str = "auto"
    device: str = ""
    library: str | None = None
    cpu_model: str | None = None
    images: tuple[str, ...] = ()
    runs: int = 200
    warmup: int = 10
    threads: int = 1
    xnnpack: bool = True


@dataclasses.dataclass
class Measurement:
    """What came of a `Plan`.

    Attributes:
        runtime: dict: package, version and those passed over.
        models: for each model a dict of facts; see `_facts`.
        warmup, times: seconds `(rounds, models, phases)`, before and during
            what counts; fewer rounds than planned if there is a problem.
        problem: None, or why it ended early.
        notes: warnings about the files, one line each.
    """

    runtime: dict = dataclasses.field(default_factory=dict)
    models: list = dataclasses.field(default_factory=list)
    warmup: np.ndarray | None = None
    times: np.ndarray | None = None
    problem: str | None = None
    notes: list = dataclasses.field(default_factory=list)


def measure(plan, on_rounds=lambda done: None):
    """Carries out a plan.

    Args:
        plan: `Plan`.
        on_rounds: called now and then with the number of timed rounds.

    Returns:
        `Measurement`, in part if the device failed, or Ctrl-C came, in the
        midst of it.

    Raises:
        UserError: nothing could be timed, or the output is not the CPU's.
    """
    context = multiprocessing.get_context("spawn")
    # Shared memory: the child writes to it without a pause, and what it
    # wrote outlives it.
    shape = (plan.warmup + plan.runs, len(plan.models), len(PHASES))
    memory = context.RawArray("d", math.prod(shape))
    done = context.RawValue("l", 0)
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "stderr")
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(
            target=_work,
            args=(plan, theirs, memory, done, str(log)),
            daemon=True,
        )
        child.start()
        theirs.close()
        result = Measurement()
        try:
            _receive(
                ours,
                result,
                lambda: on_rounds(max(done.value - plan.warmup, 0)),
            )
            child.join()
        except KeyboardInterrupt:
            result.problem = "interrupted"
        finally:
            child.kill()
            child.join()
        printed = log.read_text(errors="replace") if log.exists() else ""
    rounds = np.array(memory).reshape(shape)[: done.value]
    result.warmup, result.times = np.split(rounds, [plan.warmup])
    if result.problem is None and done.value < shape[0]:
        result.problem = _explain(child.exitcode, plan, result, printed)
    if not len(result.times):
        raise UserError(result.problem)
    return result


def _receive(connection, result, look):
    """Collects a child's messages until it ends."""
    while True:
        if connection.poll(_LOOK_EVERY):
            try:
                setattr(result, *connection.recv())
            except EOFError:
                return
        look()


def _explain(status, plan, result, printed):
    """Why a child ended without a word."""
    if status > 0:  # A mistake of this program.
        raise RuntimeError(printed)
    if plan.delegate == "cpu" or not any(map(is_compiled, plan.models)):
        return (
            f"the process was ended by signal {-status}: too little memory "
            "(9), or a fault of the interpreter"
        )
    during = "running" if result.models else "opening"
    return str(delegate_faults.crashed(during, status, printed, Machine()))


def _work(plan, connection, memory, done, log):
    """The child: sends pairs of an attribute of `Measurement` and its value.

    Args:
        memory: for seconds, round by round; `done` for how many rounds.
    """
    handle = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(handle, 2)
    try:
        with warnings.catch_warnings(record=True) as notes:
            models, pictures = _prepare(plan, connection)
        texts = [" ".join(str(note.message).split()) for note in notes]
        connection.send(("notes", list(dict.fromkeys(texts))))
        rounds = plan.warmup + plan.runs
        for times in take_turns(models, pictures, rounds):
            flat = [seconds for one in times for seconds in one]
            start = done.value * len(flat)
            memory[start : start + len(flat)] = flat
            done.value += 1
    except UserError as error:
        connection.send(("problem", str(error)))


def _prepare(plan, connection):
    """Opens the models, and compares those on the Edge TPU with the CPU's."""
    runtime = find_runtime()
    known = ("name", "version", "passed_over")
    connection.send(("runtime", {key: getattr(runtime, key) for key in known}))
    models, facts, pictures = [], [], []
    for position, path in enumerate(plan.models):
        model = _open(plan, runtime, path)
        scenes = load_pictures(plan.images, model.size)
        twin = None if position else plan.cpu_model
        found = _agreement(plan, runtime, model, twin, scenes)
        facts.append({**_facts(model), "agreement": found})
        models.append(model)
        pictures.append(scenes[0])
    connection.send(("models", facts))
    return models, pictures


def _open(plan, runtime, path):
    """A model on the CPU or the Edge TPU, as the plan has it."""
    if not pathlib.Path(path).is_file():
        raise UserError(f"{path}: there is no such file")
    accelerator = None
    if runs_on_edgetpu(path, plan.delegate):
        accelerator = open_accelerator(runtime, plan.device, plan.library)
    return OnDeviceModel(
        path,
        runtime=runtime,
        threads=plan.threads,
        xnnpack=plan.xnnpack,
        accelerator=accelerator,
    )


def _facts(model):
    """What is known of a model before it runs."""
    described, accelerator = model.description, model.accelerator
    structure = read_structure(model.path, described.values)
    return {
        "path": str(model.path),
        "name": described.values.get("name"),
        "sha256": hashlib.sha256(model.path.read_bytes()).hexdigest(),
        "bytes": model.path.stat().st_size,
        "input": {
            "size": list(model.size),
            "dtype": np.dtype(model.input_dtype).name,
        },
        "output": {
            "content": model.output,
            "size": list(described.output_size),
            "classes": described.dataset.num_classes,
            "dtype": np.dtype(model.output_dtype).name,
        },
        "structure": structure and dataclasses.asdict(structure),
        "delegate": "edgetpu" if accelerator else "cpu",
        "edgetpu": accelerator
        and {
            "library": accelerator.library,
            "version": accelerator.version,
            "package": accelerator.package,
            "device": accelerator.device,
            "bus": accelerator.bus,
            "celsius": accelerator.machine.apex_celsius(),
        },
    }


def _agreement(plan, runtime, model, given, scenes):
    """How far the Edge TPU's output is the CPU's; None on the CPU."""
    if model.accelerator is None:
        if given:
            raise UserError(
                f"--cpu_model={given} is for a model on the Edge TPU, and "
                f"{model.path} runs on the CPU: leave it out"
            )
        return None
    twin = agreement.find_twin(model.path, model.description, given)
    reference = OnDeviceModel(twin, runtime=runtime, threads=plan.threads)
    found = agreement.compare(model, reference, scenes)
    agreement.require(found, model.path)
    return dataclasses.asdict(found)

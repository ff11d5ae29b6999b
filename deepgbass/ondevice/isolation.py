"""A model on the Edge TPU, in a process of its own.

libedgetpu ends its process where a device is unplugged, and crashes it where
it was built for another interpreter. The process that asks survives both: it
keeps what it has done and says what happened.
"""

import contextlib
import dataclasses
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import tempfile
import warnings
import weakref

from deepgbass.errors import UserError
from deepgbass.ondevice import delegate_faults
from deepgbass.ondevice.delegate import open_accelerator, runs_on_edgetpu
from deepgbass.ondevice.machine import Machine
from deepgbass.ondevice.model import OnDeviceModel
from deepgbass.ondevice.runtime import find_runtime

# Of `OnDeviceModel`, known on both sides.
_ATTRIBUTES = (
    "description",
    "size",
    "output",
    "input_dtype",
    "output_dtype",
    "output_details",
)
# Seconds that a process gets to end.
_PATIENCE = 5


def open_model(path, *, delegate="auto", device="", library=None, threads=2):
    """The model of a `.tflite` file.

    Args:
        path: of a model that describes itself.
        delegate: "cpu", "edgetpu", or "auto": the Edge TPU if the model is
            compiled for it.
        device, library: of `open_accelerator`.
        threads: of the CPU's kernels.

    Returns:
        `OnDeviceModel`, or for the Edge TPU an `IsolatedModel`.

    Raises:
        UserError: the model or the device cannot be used; says why.
    """
    if runs_on_edgetpu(path, delegate):
        return IsolatedModel(path, device, library, threads)
    return OnDeviceModel(path, threads=threads)


class IsolatedModel:
    """An `OnDeviceModel` on the Edge TPU, with the same methods.

    Args:
        path: of a model that is compiled for the Edge TPU.
        device, library, threads: of `open_model`.

    Attributes:
        accelerator: `Accelerator`, whose delegate is left in the other
            process.
        path, description, size, output, input_dtype, output_dtype,
            output_details: of `OnDeviceModel`.

    Raises:
        UserError: the model or the device cannot be used, or its library
            took its process down; says why.
    """

    def __init__(self, path, device, library, threads):
        self.path = pathlib.Path(path)
        # A file: a pipe that nobody reads would fill.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        # Not by `multiprocessing`, which imports the caller's script again.
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from {__name__} import serve; serve()"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        weakref.finalize(self, _end, self._process, self._log)
        self._during = "opening"
        found, notes = self._ask("open", path, device, library, threads)
        vars(self).update(found)
        for note in notes:
            warnings.warn(note, stacklevel=3)
        self._during = "running"

    def __call__(self, image):
        return self._ask("__call__", image)

    def set_input(self, image):
        self._ask("set_input", image)

    def invoke(self):
        self._ask("invoke")

    def get_output(self):
        return self._ask("get_output")

    def _ask(self, name, *arguments):
        """What the other process has a method give."""
        requests, answers = self._process.stdin, self._process.stdout
        if answers.closed:
            raise UserError(
                f"{self.path} was interrupted during an inference; open it anew"
            )
        try:
            _send(requests, (name, arguments))
            error, value = pickle.load(answers)
        except (OSError, EOFError):
            raise self._ended() from None
        except BaseException:
            # An answer that nobody waited for would be taken for the next.
            answers.close()
            raise
        if error:
            raise UserError(error)
        return value

    def _ended(self):
        """The fault where the process is no more."""
        status = self._process.wait()
        self._log.seek(0)
        printed = self._log.read().decode(errors="replace")
        if status > 0:  # A mistake of this program.
            return RuntimeError(printed)
        fault = delegate_faults.crashed(
            self._during, status, printed, Machine()
        )
        return UserError(f"{self.path}: {fault}")


def serve():
    """The other process: answers until its input ends."""
    # Ctrl-C ends the one that asks, which may still have to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library prints is no answer.
    model = None
    while True:
        try:
            name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        error = value = None
        try:
            if name == "open":
                model, value = _open(*arguments)
            else:
                value = getattr(model, name)(*arguments)
        except UserError as fault:
            error = str(fault)
        _send(answers, (error, value))


def _open(path, device, library, threads):
    """The model, and what is known of it on the other side."""
    with warnings.catch_warnings(record=True) as notes:
        runtime = find_runtime()
        accelerator = open_accelerator(runtime, device, library)
        model = OnDeviceModel(
            path, runtime=runtime, threads=threads, accelerator=accelerator
        )
    found = {name: getattr(model, name) for name in _ATTRIBUTES}
    found["accelerator"] = dataclasses.replace(accelerator, delegate=None)
    return model, (found, [str(note.message) for note in notes])


def _send(stream, values):
    pickle.dump(values, stream, pickle.HIGHEST_PROTOCOL)
    stream.flush()


def _end(process, log):
    """Lets the device go before the process ends, if it still can."""
    process.stdout.close()
    with contextlib.suppress(OSError):  # What was not yet sent.
        process.stdin.close()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    log.close()

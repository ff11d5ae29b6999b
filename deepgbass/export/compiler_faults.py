"""Why `edgetpu_compiler` failed, in one line, and what to do about it.

The compiler's own words come from google-coral/edgetpu's issues; the number
of one stands behind a pattern.
"""

import dataclasses
import re
import signal


@dataclasses.dataclass(frozen=True)
class Fault:
    """A failure of the compiler.

    Attributes:
        kind: a short name, for JSON and programs.
        message: one line: what was found and what to do.
        flaky: whether it goes away by itself at times.
    """

    kind: str
    message: str
    flaky: bool = False


_SMALLER = (
    "export at a smaller size (--size) or, with a compiler of version "
    "16, leave -d on, which compiles a leading part"
)
_REEXPORT = "export it again with export_tflite.py --quantization=int8"

# (kind, pattern, message with the pattern's groups); the first one that is
# found anywhere counts, so causes come before what follows from them.
_KNOWN = (
    (
        "op_version",  # 631, 845, 879
        r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'",
        "it knows no version {1} of {0}, which a newer converter wrote: the "
        "preflight names these operators; replace the layer that makes it",
    ),
    (
        "op_version",
        r"Op builtin_code out of range: (\d+)",
        "it does not know operator number {0}, which is newer than it is: the "
        "preflight names it; replace the layer that makes it",
    ),
    (
        "custom_op",
        r"unresolved custom op: ([^\s.]+)",
        "it cannot run the custom operator {0}: use TFLite's own operators",
    ),
    (
        "not_quantized",  # 168, 313
        r"Model not quantized",
        "it takes the model for one that is not quantised, which it also "
        f"says of a batch or size that is not fixed: {_REEXPORT}",
    ),
    (
        "dynamic_shape",  # 829, 831
        r"dynamic-sized tensors",
        f"a tensor's size is not fixed: {_REEXPORT}",
    ),
    (
        "disk_full",
        r"No space left on device",
        "the disk is full: make room and compile again",
    ),
    (
        "host",
        r"[Ee]xec format error|cannot execute binary file",
        "it runs on x86-64 Linux only: copy the model there and compile it",
    ),
    (
        "flags",
        r"(?:[Uu]nrecognized|[Uu]nknown|[Ii]nvalid) (?:command line )?"
        r"(?:option|flag)\S*\s*(\S*)",
        "it does not know the option {0}: install version 16",
    ),
    (
        "large_activations",  # 439, 508, 512, 653
        r"large activation tensors",
        f"an activation is too large for the chip: {_SMALLER}",
    ),
    (
        "attempt_timeout",  # 686
        r"Compilation timeout",
        "one attempt ran into its own time limit, which large activations "
        f"cause: {_SMALLER}",
    ),
    (
        "internal",  # 104, 157, 189, 206, 211
        r"Internal compiler error",
        "an internal error of the compiler, twice: change the size a little "
        "(--size, even at every stride), or try version 15 or 14.1",
    ),
    (
        "crash",  # 482, 643, 811
        r"Segmentation fault|core dumped",
        "it crashed (segmentation fault), which version 16 does on some "
        "graphs: change the size (--size), or try version 15 or 14.1",
    ),
    (
        "crash",  # 728
        r"terminat\w+ .*exception of type (\S+?):?\s",
        "it crashed ({0}): change the size (--size), or try version 15 or 14.1",
    ),
    (
        "interpreter",
        r"Model failed in Tflite interpreter",
        "its own TFLite interpreter, of 2021, cannot run the model: the "
        "preflight names operators that are newer",
    ),
    (
        "invalid_model",
        r"Invalid model",
        f"it takes the file for no valid model: {_REEXPORT}",
    ),
)


def diagnose(text, status):
    """The fault behind a run that gave no model.

    Args:
        text: str, all that it printed.
        status: int, its exit status: negative if a signal ended it.

    Returns:
        `Fault`.
    """
    for kind, pattern, message in _KNOWN:
        if match := re.search(pattern, text):
            groups = (group or "?" for group in match.groups())
            return Fault(kind, message.format(*groups), kind == "internal")
    # The wrapper script around the program gives signals as a shell does.
    number = -status if status < 0 else status - 128
    if number in set(signal.Signals):
        return Fault(
            "crash",
            f"it was ended by {signal.Signals(number).name}: if that was not "
            "you or lack of memory, change the size (--size) or try "
            "version 15 or 14.1",
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = f"its last line was {lines[-1]!r}" if lines else "it printed nothing"
    return Fault(
        "unknown",
        f"it ended with status {status} and gave no reason ({said}): see what "
        "the preflight says about the model, or try version 15 or 14.1",
    )


def out_of_time(seconds):
    """The fault of a run that was ended after so many seconds."""
    return Fault(
        "timeout",
        f"it was ended after {seconds:.0f} s: allow more time or {_SMALLER}",
    )


def nothing_mapped(log):
    """The fault of a model that compiled with nothing on the Edge TPU.

    Args:
        log: `CompilerLog`.
    """
    reason = ""
    if log.operators:
        most = max(log.operators, key=lambda row: row.count)
        reason = f", {most.count} {most.operator} because of: {most.status}"
    count = log.total_operators or log.on_cpu
    return Fault(
        "nothing_mapped",
        f"it maps none of {count} operators{reason}: see the preflight's "
        "first root cause",
    )


def broken_model():
    """The fault of a run that reported success and left no whole model."""
    return Fault(
        "broken_model",
        "it reported success but its model is not a whole TFLite file with "
        "an Edge TPU part: see whether the disk is full, and compile again",
    )

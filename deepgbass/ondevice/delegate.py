"""Loads the Edge TPU's library, libedgetpu, as a delegate."""

import ctypes
import dataclasses
import re

from deepgbass.errors import UserError
from deepgbass.ondevice import delegate_faults
from deepgbass.ondevice.machine import Machine
from deepgbass.ondevice.structure import is_compiled

DELEGATES = ("auto", "cpu", "edgetpu")
LIBRARIES = {
    "Linux": "libedgetpu.so.1",
    "Darwin": "libedgetpu.1.dylib",
    "Windows": "edgetpu.dll",
}
_DEVICE = re.compile(r"(usb|pci)?(:\d+)?")
_ENTRY_POINT = "tflite_plugin_create_delegate"


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """An Edge TPU that was opened.

    Attributes:
        library: what was loaded.
        device: as asked for, "" for the first one.
        version: what the library says of itself, e.g. "BuildLabel(...),
            RuntimeVersion(14)"; None if it says nothing.
        package: that the library is from, e.g. "libedgetpu1-std 16.0"; None
            where it is not known.
        delegate: for `Runtime.interpreter`.
        machine: `Machine` that it is in.
    """

    library: str
    device: str
    version: str | None
    package: str | None
    delegate: object = dataclasses.field(repr=False)
    machine: Machine = dataclasses.field(repr=False)

    @property
    def bus(self):
        """E.g. "USB 3"; None where it is not known.

        Without a device's number, libedgetpu prefers none: with both kinds in
        the machine, the bus is known only if `device` names it.
        """
        pci, usb = self.machine.apex_nodes(), self.machine.usb_devices()
        if self.device.startswith("pci") or (pci and not usb):
            return "PCIe"
        if self.device.startswith("usb") or (usb and not pci):
            buses = {device.bus for device in usb}
            return buses.pop() if len(buses) == 1 else "USB"
        return None


def check_device(device):
    """Makes sure that a device's name is one that libedgetpu understands.

    Raises:
        UserError: it is not.
    """
    if not _DEVICE.fullmatch(device):
        raise UserError(
            f"--device={device} names no Edge TPU; want usb, pci, usb:0, "
            "pci:1 or :0 (the first of either kind), or nothing for any"
        )


def runs_on_edgetpu(path, delegate):
    """Whether a model is to run on the Edge TPU.

    Args:
        path: of a `.tflite` file.
        delegate: one of `DELEGATES`. "auto": on the Edge TPU if the model is
            compiled for it.

    Raises:
        UserError: it is no model, or is to run there and is not compiled.
    """
    compiled = is_compiled(path)
    if delegate == "edgetpu" and not compiled:
        raise delegate_faults.not_compiled(path)
    return compiled and delegate != "cpu"


def open_accelerator(runtime, device="", library=None, machine=None):
    """Opens an Edge TPU.

    Args:
        runtime: `Runtime` that is to use it.
        device: "" for any, "usb", "pci", "usb:0", "pci:1", ":0" ...
        library: file of libedgetpu; None for where the system has it.
        machine: `Machine`, which is asked where something fails.

    Returns:
        `Accelerator`.

    Raises:
        UserError: the library or the device cannot be opened; says why.
    """
    check_device(device)
    machine = machine or Machine()
    package = None if library else machine.edgetpu_package()
    library = library or LIBRARIES.get(machine.system, LIBRARIES["Linux"])
    try:
        # `load_delegate` would complain once more when it is cleaned up.
        handle = ctypes.CDLL(library)
    except OSError as error:
        raise delegate_faults.no_library(library, error, machine) from None
    if not hasattr(handle, _ENTRY_POINT):
        raise UserError(
            f"{library} is no TFLite delegate: it has no {_ENTRY_POINT}; name "
            "the Edge TPU's library or leave --library out"
        )
    options = {"device": device} if device else {}
    try:
        delegate = runtime.load_delegate(library, options)
    except ValueError as error:
        reason = str(error).partition("\n")[2].strip()
        raise delegate_faults.no_device(device, reason, machine) from None
    return Accelerator(
        library, device, _version(handle), package, delegate, machine
    )


def _version(handle):
    """The library's own words (`edgetpu_version` of edgetpu_c.h)."""
    if not hasattr(handle, "edgetpu_version"):
        return None
    handle.edgetpu_version.restype = ctypes.c_char_p
    return (handle.edgetpu_version() or b"").decode(errors="replace") or None

"""Why an Edge TPU does not work, and what to do: every fault as one line.

libedgetpu says little: without a usable device, nothing at all. So the
machine is asked what is plugged in, who may open it and which rules there are.
"""

import re
import signal

from deepgbass.errors import UserError

_INSTALL = (
    "install libedgetpu1-std (coral.ai/software; newer builds: "
    "github.com/feranick/libedgetpu)"
)
_RELOAD = "sudo udevadm control --reload-rules && sudo udevadm trigger"
_USB_RULES = "/etc/udev/rules.d/99-edgetpu-accelerator.rules"
_APEX_RULES = "/etc/udev/rules.d/65-apex.rules"
_VERSIONS = re.compile(r"requires runtime version \((\d+)\).*?\((\d+)\)", re.S)
# libedgetpu's own log; F: it ends the process.
_FATAL = re.compile(r"^F .*", re.MULTILINE)


def no_library(library, error, machine):
    """The fault where the library cannot be opened (`OSError`)."""
    text = str(error).partition("\n")[0]
    missing = re.match(r"(\S+?): cannot open shared object file", text)
    name = library.rpartition("/")[2]
    if missing and missing[1].rpartition("/")[2] != name:
        return UserError(
            f"{library} needs {missing[1]}, which is not installed: "
            "reinstall libedgetpu with its dependencies (USB needs "
            "libusb-1.0-0)"
        )
    if missing or machine.system != "Linux":
        return UserError(
            f"the Edge TPU's library is not there ({text}): {_INSTALL}, or "
            "name its file with --library"
        )
    return UserError(
        f"{library} cannot be loaded ({text}): it is built for another "
        f"processor or system; {_INSTALL}"
    )


def no_device(device, reason, machine):
    """The fault where libedgetpu gives no delegate.

    Args:
        device: as asked for, see `open_accelerator`.
        reason: libedgetpu's words, mostly "".
        machine: `Machine`.
    """
    if reason:
        cause = f"libedgetpu says: {' '.join(reason.split())}"
    elif machine.system != "Linux":
        cause = (
            "libedgetpu gives no reason; check the cable and the port, that "
            "no other program uses the device, and the installation of "
            "libedgetpu"
        )
    elif device.startswith("pci"):
        cause = _pci_cause(device, machine)
    elif device.startswith("usb") or machine.usb_devices():
        cause = _usb_cause(device, machine)
    elif machine.pci_devices() or machine.apex_nodes():
        cause = _pci_cause(device, machine)
    else:
        cause = (
            "no Coral device is on the USB (1a6e:089a or 18d1:9302 in lsusb) "
            "or the PCI bus (1ac1:089a in lspci -nn); plug it in, with a "
            "cable that carries data, not through a hub without power of its "
            "own"
        )
    asked = f" {device!r}" if device else ""
    return UserError(f"no Edge TPU{asked} could be opened: {cause}")


def _usb_cause(device, machine):
    found = machine.usb_devices()
    if not found:
        return (
            "no Coral device is on the USB (1a6e:089a or 18d1:9302 in "
            "lsusb); plug it in, with a cable that carries data, not through "
            "a hub without power of its own"
        )
    if cause := _out_of_range(device, len(found), "USB"):
        return cause
    closed = [one for one in found if not machine.is_open_to_us(one.node)]
    if not closed:
        return (
            f"the device on port {found[0].port} ({found[0].bus}) is "
            "there and may be opened: another process uses it, or it hangs; "
            "end that process, or unplug and replug the device at another "
            "port or cable"
        )
    if not closed[0].node.exists():
        return (
            f"it is on the bus, but there is no {closed[0].node}: in a "
            "container, pass it on (docker run --privileged -v "
            "/dev/bus/usb:/dev/bus/usb)"
        )
    vendor = closed[0].id.partition(":")[0]
    if not machine.has_udev_rule(vendor):
        return (
            f"{closed[0].node} may not be opened and no udev rule names "
            f'{closed[0].id}; write SUBSYSTEM=="usb", '
            f'ATTRS{{idVendor}}=="1a6e", GROUP="plugdev" and the same with '
            f'"18d1" into {_USB_RULES}, run {_RELOAD}, and replug'
        )
    if "plugdev" not in machine.groups:
        return (
            f"{closed[0].node} may not be opened: you are not in the group "
            "plugdev; run sudo usermod -aG plugdev $USER, then log out and in"
        )
    return (
        f"{closed[0].node} may not be opened, though there is a udev rule "
        f"and you are in plugdev: replug the device, or run {_RELOAD}"
    )


def _pci_cause(device, machine):
    nodes = machine.apex_nodes()
    if not nodes:
        if not machine.pci_devices():
            return (
                "no Coral device is on the PCI bus (1ac1:089a in lspci -nn); "
                "seat the card anew with the power off, and see that its slot "
                "has PCIe, not SATA or USB alone"
            )
        return (
            "the card is on the PCI bus, but there is no /dev/apex_0: its "
            "driver is not loaded; install gasket-dkms "
            "(github.com/feranick/gasket-driver for kernels from 6.12) and "
            "restart, or pass it on to a container with --device=/dev/apex_0"
        )
    if cause := _out_of_range(device, len(nodes), "PCI"):
        return cause
    closed = [node for node in nodes if not machine.is_open_to_us(node)]
    if not closed:
        return (
            f"{nodes[0]} is there and may be opened: another process uses "
            "it, or it hangs; end that process, or restart"
        )
    if not machine.has_udev_rule("apex"):
        return (
            f"{closed[0]} may not be opened and no udev rule names apex; "
            f'write SUBSYSTEM=="apex", MODE="0660", GROUP="apex" into '
            f"{_APEX_RULES}, run {_RELOAD}"
        )
    return (
        f"{closed[0]} may not be opened: run sudo usermod -aG apex $USER, "
        "then log out and in"
        if "apex" not in machine.groups
        else f"{closed[0]} may not be opened, though there is a udev rule and "
        f"you are in apex: run {_RELOAD}, or restart"
    )


def _out_of_range(device, count, bus):
    number = device.partition(":")[2]
    if number and int(number) >= count:
        return (
            f"it is number {int(number) + 1}, but {count} Coral "
            f"device{'s are' if count > 1 else ' is'} on the {bus} bus; they "
            "count from 0"
        )
    return None


def no_delegate(path):
    """The fault where a compiled model is to run without an Edge TPU."""
    twin = path.stem.removesuffix("_edgetpu")
    return UserError(
        f"{path} is compiled for an Edge TPU and does not run on a CPU: use "
        f"--delegate=edgetpu, or the model it was compiled from ({twin}.tflite)"
    )


def not_compiled(path):
    """The fault where nothing of a model would run on the Edge TPU."""
    return UserError(
        f"{path} is not compiled for the Edge TPU, so that all of it would "
        "run on the CPU: compile it (edgetpu_compiler), or use --delegate=cpu"
    )


def not_prepared(path, error, accelerator):
    """The fault where the Edge TPU does not take a model (`RuntimeError`)."""
    text = " ".join(str(error).split())
    library = accelerator.version or accelerator.library
    if match := _VERSIONS.search(text):
        return UserError(
            f"{path} needs runtime {match[1]}, but this libedgetpu has "
            f"{match[2]} ({library}): update libedgetpu, or compile with "
            f"edgetpu_compiler -m {match[2]}"
        )
    if "unresolved custom op" in text:
        return UserError(
            f"{path}: {accelerator.library} did not take the part that is "
            f"compiled for the Edge TPU ({text}): is it the Edge TPU's "
            "library?"
        )
    return UserError(
        f"{path} cannot be prepared for the Edge TPU ({text}); replug the "
        "device, and compile the model again if that does not help"
    )


def failed_run(path, error, accelerator):
    """The fault where an inference fails that has worked before."""
    text = " ".join(str(error).split())
    return UserError(
        f"{path}: the Edge TPU failed during an inference ({text}): "
        f"{_whereabouts(accelerator.machine)}"
    )


def crashed(during, status, printed, machine):
    """The fault where libedgetpu took the process down.

    Args:
        during: "opening" or "running".
        status: exit status of the process, negative for a signal.
        printed: what it wrote on stderr.
        machine: `Machine`.
    """
    ended = f"exit status {status}"
    if status < 0:
        ended = signal.Signals(-status).name
    fatal = _FATAL.search(printed)
    if during == "opening" and not fatal:
        return UserError(
            f"the process ended with {ended} while the Edge TPU was opened; "
            "libedgetpu and the interpreter must be of one version of "
            "TensorFlow: the builds of 2021 crash with interpreters from 2.12 "
            f"on; {_INSTALL}"
        )
    said = f": {fatal[0]}" if fatal else ""
    return UserError(
        f"the process ended with {ended} during an inference{said}; "
        f"{_whereabouts(machine)}"
    )


def _whereabouts(machine):
    """Whether a device that failed is still there."""
    if machine.system != "Linux":
        return "unplugged? check cable and power, replug it"
    if machine.usb_devices() or machine.apex_nodes():
        return (
            "it is still on the bus, so it hangs or lost power for a moment: "
            "replug it at a port or hub with more power, and let it cool "
            "(libedgetpu1-max runs hot)"
        )
    return "it is no longer on the bus: unplugged? check the cable, replug it"

"""What the machine says of itself and of the Coral devices that it has.

Read from Linux' `/sys`, `/proc` and `/dev`; elsewhere, and where a file is
absent, nothing is known. The root of these files can be another folder.
"""

import contextlib
import dataclasses
import os
import pathlib
import platform
import re

# Of the USB Accelerator: before its firmware was loaded, and after.
USB_IDS = ("1a6e:089a", "18d1:9302")
_PCI_ID = ("0x1ac1", "0x089a")
_UDEV_FOLDERS = (
    "etc/udev/rules.d",
    "run/udev/rules.d",
    "lib/udev/rules.d",
    "usr/lib/udev/rules.d",
)


@dataclasses.dataclass(frozen=True)
class UsbDevice:
    """A Coral device on the USB.

    Attributes:
        port: as the kernel names it, e.g. "2-1".
        id: one of `USB_IDS`.
        megabits: speed of the bus in Mbit/s: 480 for USB 2, 5000 for USB 3;
            None where it is not known.
        node: the file that a driver in user space opens.
    """

    port: str
    id: str
    megabits: int | None
    node: pathlib.Path

    @property
    def bus(self):
        if self.megabits is None:
            return "USB"
        return "USB 3" if self.megabits >= 5000 else "USB 2"


def _groups():
    """Names of the groups of this process."""
    try:
        import grp
    except ImportError:  # Windows.
        return frozenset()
    names = set()
    for number in {os.getegid(), *os.getgroups()}:
        with contextlib.suppress(KeyError):
            names.add(grp.getgrgid(number).gr_name)
    return frozenset(names)


def _is_open_to_us(path):
    return os.access(path, os.R_OK | os.W_OK)


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where to look.

    Attributes:
        root: absolute path of the folder in which `sys`, `proc`,
            `dev` and `etc` are.
        system: as `platform.system` names it.
        groups: names of the groups that this process is in.
        is_open_to_us: function of a path, whether this process may read and
            write it.
    """

    root: pathlib.Path = pathlib.Path("/")
    system: str = dataclasses.field(default_factory=platform.system)
    groups: frozenset = dataclasses.field(default_factory=_groups)
    is_open_to_us: object = _is_open_to_us

    def text(self, *parts):
        """Content of a small file without its margins, None if unreadable."""
        try:
            content = pathlib.Path(self.root, *parts).read_bytes()
        except OSError:
            return None
        return content.decode(errors="replace").strip(" \n\0")

    def usb_devices(self):
        """List of `UsbDevice`, by port."""
        found = []
        for folder in sorted(self.root.glob("sys/bus/usb/devices/*")):
            vendor = self.text(folder, "idVendor")
            name = f"{vendor}:{self.text(folder, 'idProduct')}"
            if name not in USB_IDS:
                continue
            bus, device = (
                int(self.text(folder, file) or 0)
                for file in ("busnum", "devnum")
            )
            node = self.root / f"dev/bus/usb/{bus:03}/{device:03}"
            speed = self.text(folder, "speed")
            megabits = int(float(speed)) if speed else None
            found.append(UsbDevice(folder.name, name, megabits, node))
        return found

    def pci_devices(self):
        """Addresses of the Coral devices on the PCI bus."""
        return [
            folder.name
            for folder in sorted(self.root.glob("sys/bus/pci/devices/*"))
            if (self.text(folder, "vendor"), self.text(folder, "device"))
            == _PCI_ID
        ]

    def apex_nodes(self):
        """The files that the driver of PCI devices makes, `/dev/apex_0` ..."""
        return sorted(self.root.glob("dev/apex_*"))

    def has_udev_rule(self, word):
        """Whether a udev rule names `word`, such as a vendor's id."""
        return any(
            word in (self.text(path) or "")
            for folder in _UDEV_FOLDERS
            for path in self.root.glob(f"{folder}/*.rules")
        )

    def apex_celsius(self):
        """Temperatures of the PCI devices."""
        texts = [
            self.text(path)
            for path in sorted(self.root.glob("sys/class/apex/apex_*/temp"))
        ]
        return [int(text) / 1000 for text in texts if text]

    def edgetpu_package(self):
        """E.g. "libedgetpu1-max 16.0" of Debian; None if there is none.

        The frequency of a USB device is that of the package: -max or -std.
        """
        for entry in (self.text("var/lib/dpkg/status") or "").split("\n\n"):
            fields = dict(re.findall(r"^([\w-]+): (.*)$", entry, re.MULTILINE))
            name = fields.get("Package", "")
            installed = fields.get("Status", "").endswith(" installed")
            if name.startswith("libedgetpu1") and installed:
                return f"{name} {fields.get('Version', '')}".strip()
        return None

    def describe(self):
        """Name -> what latencies depend on; None where it is not known."""
        return {
            "board": self.text("proc/device-tree/model"),
            "cpu": self._cpu(),
            "cores": os.cpu_count(),
            "governor": self.text(
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
            ),
            "machine": platform.machine(),
            "system": f"{self.system} {platform.release()}",
            "python": platform.python_version(),
        }

    def _cpu(self):
        """The processor's name; on ARM often the board's alone is told."""
        text = self.text("proc/cpuinfo") or ""
        for key in ("model name", "Hardware", "Model"):
            if match := re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE):
                return match[1].strip()
        return platform.processor() or None

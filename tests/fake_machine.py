"""A machine made of files: what Linux would show of Coral devices."""

from deepgbass.ondevice.machine import Machine


class FakeMachine:
    """Adds files to a folder; `machine` is the `Machine` that they make."""

    def __init__(self, root):
        self.root = root

    def write(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return self

    def usb(self, port="2-1", name="18d1:9302", speed="5000", device=4):
        vendor, product = name.split(":")
        files = {
            "idVendor": vendor,
            "idProduct": product,
            "busnum": "2",
            "devnum": str(device),
            "speed": speed,
        }
        for file, text in files.items():
            self.write(f"sys/bus/usb/devices/{port}/{file}", f"{text}\n")
        return self.write(f"dev/bus/usb/002/{device:03}", "")

    def pci(self, vendor="0x1ac1", device="0x089a"):
        folder = "sys/bus/pci/devices/0000:03:00.0"
        self.write(f"{folder}/vendor", f"{vendor}\n")
        return self.write(f"{folder}/device", f"{device}\n")

    def apex(self):
        return self.write("dev/apex_0", "")

    def rule(self, text):
        return self.write("etc/udev/rules.d/99-coral.rules", text)

    def machine(self, *, is_open=True, groups=(), system="Linux"):
        return Machine(
            self.root, system, frozenset(groups), lambda path: is_open
        )

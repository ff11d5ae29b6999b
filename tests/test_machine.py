"""What the kernel's files say of the machine and its Coral devices."""

import platform

import pytest
from fake_machine import FakeMachine

from deepgbass.ondevice.machine import Machine


def test_usb_devices_are_those_of_coral_before_and_after_their_firmware(
    tmp_path,
):
    fake = FakeMachine(tmp_path)
    fake.usb("1-1", "1a6e:089a", "480", device=7).usb("2-1.3", "18d1:9302")
    fake.usb("1-2", "18d1:4ee7", device=9)  # A telephone.
    found = fake.machine().usb_devices()
    assert [(one.port, one.megabits, one.bus) for one in found] == [
        ("1-1", 480, "USB 2"),
        ("2-1.3", 5000, "USB 3"),
    ]
    assert found[0].node == tmp_path / "dev/bus/usb/002/007"


def test_pci_devices_are_those_of_coral(tmp_path):
    fake = FakeMachine(tmp_path)
    assert fake.pci(device="0x1234").machine().pci_devices() == []
    assert fake.pci().machine().pci_devices() == ["0000:03:00.0"]
    fake.apex().write("sys/class/apex/apex_0/temp", "45800\n")
    assert fake.machine().apex_nodes() == [tmp_path / "dev/apex_0"]
    assert fake.machine().apex_celsius() == [45.8]


def test_a_udev_rule_is_found_in_any_of_its_folders(tmp_path):
    fake = FakeMachine(tmp_path)
    fake.write("etc/udev/rules.d/README", "1a6e")
    assert not fake.machine().has_udev_rule("1a6e")
    fake.write("lib/udev/rules.d/60-x.rules", 'ATTRS{idVendor}=="1a6e"')
    assert fake.machine().has_udev_rule("1a6e")


def test_the_librarys_package_is_the_one_installed(tmp_path):
    fake = FakeMachine(tmp_path)
    assert fake.machine().edgetpu_package() is None
    status = (
        "Package: libedgetpu1-std\nStatus: deinstall ok config-files\n"
        "Version: 15.0\n\n"
        "Package: libedgetpu1-max\nStatus: install ok installed\n"
        "Description: Edge TPU\n long text\nVersion: 16.0\n\n"
        "Package: zlib1g\nStatus: install ok installed\nVersion: 1.2\n"
    )
    fake.write("var/lib/dpkg/status", status)
    assert fake.machine().edgetpu_package() == "libedgetpu1-max 16.0"


def test_a_board_is_described_by_its_files(tmp_path):
    fake = FakeMachine(tmp_path)
    fake.write("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    fake.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Cortex-A76\n")
    governor = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    found = fake.write(governor, "ondemand\n").machine().describe()
    assert found["board"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert found["cpu"] == "Cortex-A76"
    assert found["governor"] == "ondemand"


def test_a_machine_without_these_files_is_unknown_not_an_error(tmp_path):
    machine = FakeMachine(tmp_path).machine()
    assert machine.usb_devices() == machine.pci_devices() == []
    assert machine.apex_nodes() == machine.apex_celsius() == []
    found = machine.describe()
    assert found["board"] is None and found["governor"] is None


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
def test_this_machine_is_described():
    found = Machine().describe()
    assert found["cores"] >= 1 and found["system"].startswith("Linux")

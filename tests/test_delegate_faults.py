"""Every reason for which an Edge TPU does not work has words of its own."""

import pathlib
import re
import shutil
import types

import pytest
from fake_machine import FakeMachine

from deepgbass.ondevice import delegate_faults as faults

RULE = 'SUBSYSTEM=="usb", ATTRS{idVendor}=="18d1", GROUP="plugdev"'


def no_device(fake, device="", reason="", **options):
    machine = fake.machine(**options)
    return str(faults.no_device(device, reason, machine))


def remove_nodes(fake):
    shutil.rmtree(fake.root / "dev")
    return fake


# What is done to the machine, what was asked for, what is advised.
CASES = {
    "nothing plugged in": (lambda m: m, "", {}, "no Coral device is on the"),
    "usb not plugged in": (lambda m: m, "usb", {}, "carries data"),
    "no udev rule": (
        lambda m: m.usb(),
        "",
        {"is_open": False},
        "no udev rule names 18d1:9302",
    ),
    "usb not in the container": (
        lambda m: remove_nodes(m.usb()),
        "",
        {"is_open": False},
        "docker run --privileged",
    ),
    "not in plugdev": (
        lambda m: m.usb().rule(RULE),
        "usb",
        {"is_open": False},
        "usermod -aG plugdev",
    ),
    "in plugdev, plugged in before": (
        lambda m: m.usb().rule(RULE),
        "usb:0",
        {"is_open": False, "groups": ["plugdev"]},
        "replug the device",
    ),
    "usb in use": (
        lambda m: m.usb(speed="480"),
        "",
        {},
        r"port 2-1 \(USB 2\) is there.*another process",
    ),
    "second of one": (
        lambda m: m.usb(),
        "usb:1",
        {},
        "it is number 2, but 1 Coral device is on the USB",
    ),
    "no card": (lambda m: m.usb(), "pci", {}, "seat the card"),
    "card without driver": (lambda m: m.pci(), "", {}, "gasket"),
    "card without rule": (
        lambda m: m.pci().apex(),
        "pci:0",
        {"is_open": False},
        "no udev rule names apex",
    ),
    "not in apex": (
        lambda m: m.pci().apex().rule('SUBSYSTEM=="apex"'),
        "",
        {"is_open": False},
        "usermod -aG apex",
    ),
    "in apex": (
        lambda m: m.pci().apex().rule('SUBSYSTEM=="apex"'),
        "",
        {"is_open": False, "groups": ["apex"]},
        "or restart",
    ),
    "card in use": (lambda m: m.apex(), "", {}, "another process"),
    "not Linux": (lambda m: m, "", {"system": "Darwin"}, "no reason"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_device_that_does_not_open_is_explained(case, tmp_path):
    change, device, options, pattern = CASES[case]
    fake = change(FakeMachine(tmp_path))
    text = no_device(fake, device, **options)
    assert "\n" not in text
    assert re.search(pattern, text), text


def test_the_causes_are_all_told_apart(tmp_path):
    texts = set()
    for i, (change, device, options, _) in enumerate(CASES.values()):
        fake = change(FakeMachine(tmp_path / str(i)))
        text = no_device(fake, device, **options)
        texts.add(text.partition(": ")[2].replace(str(fake.root), ""))
    assert len(texts) == len(CASES)


def test_a_reason_that_the_library_gives_is_passed_on(tmp_path):
    text = no_device(FakeMachine(tmp_path), reason="Invalid\n  device")
    assert "libedgetpu says: Invalid device" in text


LIBRARY = "libedgetpu.so.1"


@pytest.mark.parametrize(
    ("error", "pattern"),
    [
        (
            f"{LIBRARY}: cannot open shared object file: No such file",
            "install libedgetpu1-std",
        ),
        (
            "libusb-1.0.so.0: cannot open shared object file: No such file",
            r"needs libusb-1\.0\.so\.0",
        ),
        (f"{LIBRARY}: wrong ELF class: ELFCLASS32", "another processor"),
    ],
)
def test_a_library_that_does_not_load_is_explained(tmp_path, error, pattern):
    machine = FakeMachine(tmp_path).machine()
    fault = faults.no_library(LIBRARY, OSError(error), machine)
    assert re.search(pattern, str(fault))


def accelerator(machine):
    return types.SimpleNamespace(
        version="RuntimeVersion(13)", library=LIBRARY, machine=machine
    )


def test_a_model_for_a_newer_runtime_says_both_versions(tmp_path):
    # As reported in jsk-ros-pkg/coral_usb_ros#78.
    error = RuntimeError(
        "Failed to prepare for TPU. Failed precondition: Package requires "
        "runtime version (14), which is newer than this runtime version (13)."
        "Node number 0 (EdgeTpuDelegateForCustomOp) failed to prepare."
    )
    machine = FakeMachine(tmp_path).machine()
    path = pathlib.Path("m_edgetpu.tflite")
    text = str(faults.not_prepared(path, error, accelerator(machine)))
    assert "needs runtime 14, but this libedgetpu has 13" in text
    assert "-m 13" in text


def test_a_failed_run_says_whether_the_device_is_still_there(tmp_path):
    fake, error = FakeMachine(tmp_path), RuntimeError("transfer error 1")
    path = pathlib.Path("m_edgetpu.tflite")
    text = str(faults.failed_run(path, error, accelerator(fake.machine())))
    assert "no longer on the bus" in text and "transfer error 1" in text
    fake.usb()
    text = str(faults.failed_run(path, error, accelerator(fake.machine())))
    assert "still on the bus" in text


def test_a_crash_tells_opening_from_running(tmp_path):
    machine = FakeMachine(tmp_path).machine()
    opening = str(faults.crashed("opening", -11, "", machine))
    assert "SIGSEGV" in opening and "one version of TensorFlow" in opening
    printed = "I driver.cc:1] hello\nF driver/usb.cc:857] transfer failed\n"
    running = str(faults.crashed("running", -6, printed, machine))
    assert "SIGABRT" in running and "F driver/usb.cc:857]" in running
    # The first inference runs while the model is opened.
    first = str(faults.crashed("opening", -6, printed, machine))
    assert first == running

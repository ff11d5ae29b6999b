"""Opening the Edge TPU's library, with a stand-in built by the C compiler."""

import ctypes.util
import platform

import pytest
from edgetpu_stand_in import build_library
from fake_machine import FakeMachine

from deepgbass.errors import UserError
from deepgbass.ondevice import delegate
from deepgbass.ondevice.runtime import find_runtime

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux", reason="the stand-in is built for Linux"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return str(build_library(tmp_path_factory.mktemp("library")))


@pytest.fixture
def fake(tmp_path):
    return FakeMachine(tmp_path / "machine")


def opened(library, fake, device="", **options):
    machine = fake.machine(**options)
    return delegate.open_accelerator(find_runtime(), device, library, machine)


@pytest.mark.parametrize("device", ["", "usb", "usb:0", "pci:1", ":1"])
def test_the_library_gets_the_device(
    library, fake, device, tmp_path, monkeypatch
):
    log = tmp_path / "options"
    monkeypatch.setenv("STAND_IN_LOG", str(log))
    found = opened(library, fake, device)
    assert log.read_text() == (f"device={device}\n" if device else "")
    assert found.version == "BuildLabel(STAND_IN), RuntimeVersion(13)"


@pytest.mark.parametrize("device", ["tpu", "usb0", "usb:", "pci:x", "0"])
def test_a_device_that_no_library_knows_is_refused(device):
    with pytest.raises(UserError, match="usb:0"):
        delegate.check_device(device)


def test_no_device_is_diagnosed_from_the_machine(library, fake, monkeypatch):
    monkeypatch.setenv("STAND_IN", "no_device")
    with pytest.raises(UserError, match="plug it in"):
        opened(library, fake)
    fake.usb()
    with pytest.raises(UserError, match="no udev rule"):
        opened(library, fake, is_open=False)


def test_a_reason_is_passed_on(library, fake, monkeypatch):
    monkeypatch.setenv("STAND_IN", "reason")
    with pytest.raises(UserError, match="says: the stand-in does not want to"):
        opened(library, fake)


def test_a_library_that_is_not_there(fake, capfd):
    with pytest.raises(UserError, match="libedgetpu_none.so.1.*--library"):
        opened("libedgetpu_none.so.1", fake)
    assert "Exception ignored" not in capfd.readouterr().err


@pytest.mark.parametrize("system", delegate.LIBRARIES)
def test_each_system_has_a_library_of_its_own(fake, system):
    name = delegate.LIBRARIES[system]
    with pytest.raises(UserError, match="--library") as caught:
        opened(None, fake, system=system)
    assert name in str(caught.value)


def test_another_library_is_no_delegate(fake):
    name = ctypes.util.find_library("m")
    if name is None:
        pytest.skip("no libm by name on this system")
    with pytest.raises(UserError, match="is no TFLite delegate"):
        opened(name, fake)


def test_the_bus_is_that_of_the_device(library, fake):
    assert opened(library, fake).bus is None
    fake.usb(speed="480")
    assert opened(library, fake).bus == "USB 2"
    fake.apex()
    assert opened(library, fake).bus is None
    assert opened(library, fake, "pci:0").bus == "PCIe"
    fake.usb("2-2", speed="5000", device=5)
    assert opened(library, fake, "usb:1").bus == "USB"

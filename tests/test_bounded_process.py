"""Programs that end, crash, hang, and leave children behind."""

import os
import pathlib
import signal
import sys
import time

import pytest

from deepgbass.errors import UserError
from deepgbass.export import bounded_process
from deepgbass.export.bounded_process import run_bounded


def python(*lines):
    return [sys.executable, "-IS", "-c", "\n".join(lines)]


def is_running(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for_end(pid):
    end = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not is_running(pid)


def test_output_of_both_streams_and_the_status_come_back():
    command = python(
        "import os", "os.write(1, b'a')", "os.write(2, b'\\xff')", "os._exit(3)"
    )
    assert run_bounded(command, 30) == (b"a\xff", 3)


def test_a_signal_is_a_negative_status():
    command = python("import os", "os.kill(os.getpid(), 11)")
    assert run_bounded(command, 30) == (b"", -signal.SIGSEGV)


def test_it_waits_for_no_input():
    assert run_bounded(python("print(input.__name__, end='')"), 30)[1] == 0
    assert run_bounded(python("input()"), 30)[1] == 1


def test_a_hang_ends_with_its_children_though_it_ignores_sigterm(monkeypatch):
    monkeypatch.setattr(bounded_process, "_GRACE", 0.2)
    command = python(
        "import os, signal, subprocess, time",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "child = subprocess.Popen(['sleep', '600'])",
        "print(os.getpid(), child.pid, flush=True)",
        "time.sleep(600)",
    )
    output, status = run_bounded(command, 2)
    assert status is None
    leader, child = map(int, output.split())
    assert wait_for_end(leader) and wait_for_end(child)


def test_a_child_that_outlives_a_crash_is_ended():
    command = python(
        "import os, subprocess",
        "print(subprocess.Popen(['sleep', '600']).pid, flush=True)",
        "os.kill(os.getpid(), 11)",
    )
    output, status = run_bounded(command, 30)
    assert status == -signal.SIGSEGV
    assert wait_for_end(int(output))


def test_an_interrupt_ends_it_too(monkeypatch):
    started = []

    class Interrupted(bounded_process.subprocess.Popen):
        def wait(self, timeout=None):
            if not started:
                started.append(self.pid)
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr(bounded_process.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_bounded(["sleep", "600"], 30)
    assert not is_running(started[0])


def test_a_program_of_another_processor_is_named(tmp_path):
    program = tmp_path / "edgetpu_compiler"
    program.write_bytes(b"\x7fELF, but not of this machine")
    program.chmod(0o755)
    with pytest.raises(UserError, match="another kind of processor"):
        run_bounded([str(program)], 30)
    program.chmod(0o644)
    if os.getuid():
        with pytest.raises(UserError, match="Permission denied"):
            run_bounded([str(program)], 30)

"""Runs a program that may hang or leave children behind."""

import contextlib
import errno
import os
import signal
import subprocess
import tempfile

from deepgbass.errors import UserError

# Seconds that a program has to end by itself once told to.
_GRACE = 5


def run_bounded(command, time_limit):
    """Runs a program and all that it starts, for so many seconds at most.

    Nothing of it is left running, however this ends.

    Args:
        command: list of the program and its arguments.
        time_limit: seconds.

    Returns:
        (bytes that it printed on either stream, its exit status: negative if
        a signal ended it, None if it took too long).

    Raises:
        UserError: the program cannot be started.
    """
    # A file, since a pipe stays open for as long as any child lives.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            reason = error.strerror
            if error.errno == errno.ENOEXEC:
                reason = "it is for another kind of processor than this one"
            raise UserError(f"{command[0]} cannot be run: {reason}") from None
        try:
            status = process.wait(time_limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end_group(process)
        output.seek(0)
        return output.read(), status


def _end_group(process):
    """Ends whatever is left of a process and its children."""
    with contextlib.suppress(ProcessLookupError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

"""Silence for libraries that greet on stderr, whatever their log level."""

import contextlib
import os
import sys


@contextlib.contextmanager
def silent_stderr():
    """Drops what the process writes on stderr, also from C++."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as devnull:
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)

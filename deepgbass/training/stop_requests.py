"""Requests to stop: Ctrl-C or SIGTERM, heard only between two steps.

So a step is never left half done, and what is done can be saved:

    with StopRequests() as stop:
        for batch in batches:
            ...
            if stop.requested:
                break
"""

import signal
import threading


class StopRequests:
    """Turns SIGTERM and Ctrl-C into a flag that the loop reads each step.

    Asked a second time, the process is interrupted at once.

    Attributes:
        requested: number of the signal, 0 while there is none.
    """

    def __init__(self):
        self.requested = 0
        self._previous = {}

    def _handle(self, signum, frame):
        if self.requested:
            raise KeyboardInterrupt  # asked twice: at once, then
        self.requested = signum

    def __enter__(self):
        # Python lets only the main thread handle signals.
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGTERM, signal.SIGINT):
                self._previous[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(self, *_):
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

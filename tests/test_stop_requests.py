"""A request to stop is a flag, and the handlers before it come back."""

import os
import signal
import threading

import pytest

from deepgbass.training.stop_requests import StopRequests


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_first_request_is_a_flag_and_the_second_interrupts(signum):
    before = signal.getsignal(signum)
    with pytest.raises(KeyboardInterrupt), StopRequests() as stop:
        assert not stop.requested
        # Else the signal would end the tests.
        assert signal.getsignal(signum) not in (before, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
        assert stop.requested == signum
        os.kill(os.getpid(), signum)
    assert signal.getsignal(signum) is before


def test_another_thread_leaves_signals_alone():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with StopRequests() as stop:
            seen.append(signal.getsignal(signal.SIGTERM))
            seen.append(stop.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, 0]

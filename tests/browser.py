"""A headless Chromium, driven over its DevTools protocol by two pipes."""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# The protocol's pipes have to be the files 3 and 4.
_START = """
import os, sys
# Copies first: the two may be 3 and 4 the wrong way round.
for target, file in enumerate([os.dup(int(x)) for x in sys.argv[1:3]], 3):
    os.dup2(file, target)
    os.set_inheritable(target, True)  # Where the copy was the target.
os.execv(sys.argv[3], sys.argv[3:])
"""
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # As root, in a container.
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class Page:
    """A tab; what it writes to its console is kept in `complaints`."""

    def __init__(self, send_to, receive_from):
        self._out, self._in = send_to, receive_from
        self._rest, self._count, self._session = b"", 0, None
        self.complaints = []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self(
            "Target.attachToTarget", targetId=target, flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self(f"{domain}.enable")

    def __call__(self, method, timeout=60, **parameters):
        """Calls a method of the protocol; returns its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        ends = time.monotonic() + timeout
        while True:
            answer = self._receive(ends - time.monotonic())
            self._note(answer)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, url, width=1200, height=900, **media):
        """Shows a page in a window of a width, e.g. with dark colours."""
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [{"name": k, "value": v} for k, v in media.items()]
        self("Emulation.setEmulatedMedia", features=features)
        self("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def value(self, expression):
        """The value of a JavaScript expression."""
        answer = self(
            "Runtime.evaluate", expression=expression, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression, timeout=60):
        """Waits until an expression is true."""
        ends = time.monotonic() + timeout
        while not self.value(expression):
            assert time.monotonic() < ends, (expression, self.complaints)
            time.sleep(0.05)

    def choose(self, selector, path):
        """Chooses a file in an `<input type=file>`, as a visitor does."""
        root = self("DOM.getDocument")["root"]["nodeId"]
        node = self("DOM.querySelector", nodeId=root, selector=selector)
        self("DOM.setFileInputFiles", files=[str(path)], **node)

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def point(self, x, y):
        """Moves the mouse to a place in the window."""
        self("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def screenshot(self, path):
        """Writes a PNG of the whole page."""
        shot = self(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True
        )
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def _receive(self, timeout):
        ends = time.monotonic() + timeout
        while b"\0" not in self._rest:
            left = max(ends - time.monotonic(), 0)
            ready, _, _ = select.select([self._in], [], [], left)
            assert ready, "the browser does not answer"
            part = os.read(self._in, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, message):
        """Keeps what a developer would see in red."""
        event = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(event["exceptionDetails"])
        elif message.get("method") == "Runtime.consoleAPICalled":
            self.complaints.append(event["args"])
        elif message.get("method") == "Log.entryAdded":
            self.complaints.append(event["entry"])


@contextlib.contextmanager
def open_browser(profile):
    """A `Page` of a browser that ends with the block.

    Args:
        profile: empty folder for the browser's files.
    """
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(f"no browser to test the page in: none of {_NAMES}")
    theirs, send_to = os.pipe()
    receive_from, ours = os.pipe()
    words = [program, *_OPTIONS, f"--user-data-dir={profile}"]
    child = subprocess.Popen(
        [sys.executable, "-c", _START, str(theirs), str(ours), *words],
        pass_fds=(theirs, ours),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs), os.close(ours)
    try:
        yield Page(send_to, receive_from)
    finally:
        # The browser has processes of its own, all in the child's session.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        os.close(send_to), os.close(receive_from)

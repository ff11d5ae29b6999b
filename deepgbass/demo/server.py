"""The page's web server: loopback only, three addresses, every limit named.

Pages of other sites can make a browser send requests to this machine. So the
`Host` must be this server's (another one means that a foreign name was made to
point here) and an `Origin`, which browsers add to what pages send, too.
"""

import base64
import errno
import hashlib
import http.server
import importlib.resources
import json
import os
import re
import socket
import socketserver
import sys
import time
import traceback
from http import HTTPStatus

from deepgbass.demo.upload import MAX_BYTES, Refused
from deepgbass.errors import UserError

ADDRESS = "127.0.0.1"
# Path -> its one method.
_ROUTES = {"/": "GET", "/models": "GET", "/segment": "POST"}
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Seconds in which the next bytes of a request have to come.
_PATIENCE = 30
# Seconds in which a refused upload may still come, to be thrown away.
_FAREWELL = 2


class DemoServer(http.server.ThreadingHTTPServer):
    """Listens on this machine alone, on 127.0.0.1.

    Args:
        port: 0 for any free one.
        facts: what `page_facts` gave.
        segment: function of an image file's bytes to a dict for JSON, as
            `Demo.segment`.

    Attributes:
        url: of the page.

    Raises:
        UserError: the port is in use, or not to be had.
    """

    daemon_threads = True
    # On Windows it would let two programs have one port.
    allow_reuse_address = os.name == "posix"

    def __init__(self, port, facts, segment):
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise _no_port(port, error) from None
        port = self.server_address[1]
        self.url = f"http://{ADDRESS}:{port}/"
        self.hosts = {f"{ADDRESS}:{port}", f"localhost:{port}"}
        if port == 80:
            self.hosts |= {ADDRESS, "localhost"}
        self.facts = json.dumps(facts).encode()
        self.page, self.policy = _page()
        self.segment = segment

    def server_bind(self):
        # Not `HTTPServer`'s, which asks a name server for this machine's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address

    def handle_error(self, request, client_address):
        """Says nothing of visitors that left."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    # HTTP/1.0, the default, ends each connection: what is left of a refused
    # upload cannot be taken for the next request.
    server_version, sys_version = "deepgbass", ""
    timeout = _PATIENCE

    def answer(self):
        try:
            self._check_sender()
            self._route()
        except Refused as refusal:
            self._refuse(refusal.status, str(refusal))
        except UserError as error:
            self._refuse(500, f"The model failed: {error}.")
        except OSError:  # Of the connection: nobody is there to be told.
            raise
        except Exception as error:
            traceback.print_exc()
            self._refuse(
                500,
                f"The demo failed ({type(error).__name__}: {error}); the "
                "terminal that it runs in shows where. It goes on running.",
            )

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = answer
    do_OPTIONS = do_TRACE = do_CONNECT = answer

    def send_error(self, code, message=None, explain=None):
        """What the base class refuses: requests that are not HTTP."""
        # A malformed request has no method, which is needed further on.
        self.command = self.command or ""
        self._refuse(code, f"{message or HTTPStatus(code).phrase}.")

    def log_message(self, *args):
        """A demo of one visitor needs no log."""

    def version_string(self):
        return self.server_version

    def _check_sender(self):
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            raise Refused(
                403, f"This is not the address of the demo; open {self._url}."
            )
        allowed = {f"http://{host}" for host in self.server.hosts}
        if not set(self.headers.get_all("Origin", [])) <= allowed:
            raise Refused(
                403, f"Only the demo's own page may ask; open {self._url}."
            )

    def _route(self):
        method = _ROUTES.get(self.path)
        if method is None:
            raise Refused(404, f"There is no such page; open {self._url}.")
        if self.command != method:
            message = f"{self.path} takes {method}, not {self.command}."
            self._refuse(405, message, Allow=method)
        elif self.path == "/":
            policy = {"Content-Security-Policy": self.server.policy}
            self._send(
                200, "text/html; charset=utf-8", self.server.page, policy
            )
        elif self.path == "/models":
            self._send(200, "application/json", self.server.facts)
        else:
            result = self.server.segment(self._body())
            self._send(200, "application/json", json.dumps(result).encode())

    def _body(self):
        """The uploaded file: no more of it than was announced."""
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or not lengths:
            raise Refused(411, "The upload does not say how long it is.")
        if len(lengths) > 1 or not re.fullmatch("[0-9]{1,19}", lengths[0]):
            raise Refused(400, "The upload's length is not a number.")
        length = int(lengths[0])
        if length > MAX_BYTES:
            raise Refused(
                413,
                f"The file has {length / 1e6:.1f} MB; at most "
                f"{MAX_BYTES // 1_000_000} MB are taken: choose a smaller one.",
            )
        try:
            content = self.rfile.read(length)
        except TimeoutError:
            raise Refused(408, "The upload stopped half-way.") from None
        if len(content) < length:
            raise Refused(400, "The upload ended before the file did.")
        if not content:
            raise Refused(400, "The file is empty; choose an image.")
        return content

    def _send(self, status, kind, body, headers=None):
        self.send_response(status)
        fixed = {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in (fixed | _HEADERS | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status, message, **headers):
        body = json.dumps({"error": message}).encode()
        self._send(status, "application/json", body, headers)
        # Closed with bytes unread, the connection would be reset, and the
        # answer be lost on the way.
        self.connection.shutdown(socket.SHUT_WR)
        ends = time.monotonic() + _FAREWELL
        self.connection.settimeout(_FAREWELL)
        while time.monotonic() < ends and self.connection.recv(1 << 16):
            pass

    @property
    def _url(self):
        return self.server.url


def _page():
    """The page as one file, and the policy: nothing runs but its own script.

    Returns:
        bytes of HTML, and the value of the header for browsers.
    """
    folder = importlib.resources.files("deepgbass.demo")
    page, style, script = (
        (folder / f"page.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css", "js")
    )
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; "
        f"style-src {_digest(style)}; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page.format(style=style, script=script).encode(), policy


def _digest(text):
    """What the policy says of an element's content."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _no_port(port, error):
    if error.errno == errno.EADDRINUSE:
        return UserError(
            f"--port={port} is in use by another program; end it, or choose "
            "another port (0 takes any free one)"
        )
    return UserError(
        f"--port={port} cannot be opened: {error.strerror}; choose one above "
        "1023, or 0 for any free one"
    )

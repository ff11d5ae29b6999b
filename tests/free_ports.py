"""Addresses for the workers of a test."""

import contextlib
import socket


def free_addresses(count):
    """Addresses of this host, "localhost:port", that nothing listens on."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            server = stack.enter_context(socket.socket())
            server.bind(("", 0))
            ports.append(server.getsockname()[1])
    return [f"localhost:{port}" for port in ports]

"""Waits for all workers, and sees that they were started alike.

TensorFlow itself waits without limit, holding the interpreter's lock, and
says nothing; and workers with different configurations hang or diverge. So
each worker reports to the chief first, on the address that TensorFlow uses
afterwards: one line of JSON there, one line back.
"""

import contextlib
import json
import socket
import time

from deepgbass.errors import UserError
from deepgbass.progress import console
from deepgbass.training.cluster import listen

# A stranger on the port must not hold up the others for long.
_LINE_SECONDS = 5
_LINE_BYTES = 1 << 20

_CALL = ("worker", "addresses", "facts")


def roll_call(cluster, facts, timeout):
    """Returns once every worker of a cluster has called.

    Args:
        cluster: `Cluster`.
        facts: dict of name -> string that must be the same everywhere.
        timeout: seconds to wait.

    Raises:
        UserError: on all that called: a worker did not in time, two have the
            same index, or one has other facts or another cluster.
    """
    deadline = time.monotonic() + timeout
    if cluster.index:
        _report(cluster, facts, deadline, timeout)
    elif len(cluster) > 1:
        _collect(cluster, facts, deadline, timeout)


def _collect(cluster, facts, deadline, timeout):
    """The chief's part: hears all, and gives each the same verdict."""
    missing = set(range(1, len(cluster)))
    _say(f"{_names(cluster, missing)} to call", timeout)
    verdict = None
    with contextlib.ExitStack() as stack:
        port = int(cluster.addresses[0].rpartition(":")[2])
        server = stack.enter_context(listen(port))
        callers = []
        while missing and not verdict:
            try:
                server.settimeout(max(deadline - time.monotonic(), 0.001))
                caller = stack.enter_context(server.accept()[0])
            except TimeoutError:
                verdict = (
                    f"{_names(cluster, missing)} did not call within "
                    f"{timeout:g} s; start the same command on all hosts, "
                    "each with its own index in TF_CONFIG, and look there "
                    "for an error"
                )
                break
            message = _receive(caller, _LINE_SECONDS)
            if message is None or not {*_CALL} <= {*message}:
                continue
            callers.append(caller)
            verdict = _objection(cluster, facts, message, missing)
            missing.discard(message["worker"])
        for caller in callers:
            with contextlib.suppress(OSError):
                _send(caller, {"verdict": verdict})
    if verdict:
        raise UserError(verdict)


def _objection(cluster, facts, message, missing):
    """What is wrong with a worker's call; None if nothing."""
    index = message["worker"]
    if message["addresses"] != list(cluster.addresses):
        return (
            f"TF_CONFIG of worker {index} has other addresses than that of "
            "the chief; all hosts need the same cluster"
        )
    if index not in missing:
        return (
            f"two processes called as {cluster.name(index)}; give each host "
            "its own index in TF_CONFIG"
        )
    found = message["facts"]
    for name in sorted({*facts, *found}):
        theirs, ours = found.get(name, "absent"), facts.get(name, "absent")
        if theirs != ours:
            return (
                f"{cluster.name(index)} differs from the chief in {name} "
                f"({theirs} there, {ours} at the chief); start the same "
                "command on all hosts"
            )
    return None


def _report(cluster, facts, deadline, timeout):
    """A worker's part: calls the chief until it answers."""
    chief = cluster.name(0)
    _say(f"the chief, {chief}", timeout)
    host, _, port = cluster.addresses[0].rpartition(":")
    values = (cluster.index, cluster.addresses, facts)
    call = dict(zip(_CALL, values, strict=True))
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection(
                (host.strip("[]"), int(port)), timeout=min(left, _LINE_SECONDS)
            ) as connection:
                _send(connection, call)
                # Its answer comes when all have called; its clock may have
                # started after ours.
                answer = _receive(connection, timeout + _LINE_SECONDS)
        except OSError:
            answer = None
        if answer is not None and "verdict" in answer:
            if answer["verdict"]:
                raise UserError(answer["verdict"])
            return
        time.sleep(0.2)
    raise UserError(
        f"the chief, {chief}, did not answer within {timeout:g} s; start the "
        "same command there too, and see that this host reaches its port"
    )


def _receive(connection, seconds):
    """A line of JSON as a dict; None if anything else comes, or nothing."""
    connection.settimeout(seconds)
    try:
        with connection.makefile("rb") as file:
            message = json.loads(file.readline(_LINE_BYTES))
    except (OSError, ValueError):
        return None
    return message if isinstance(message, dict) else None


def _send(connection, message):
    connection.sendall(json.dumps(message).encode() + b"\n")


def _names(cluster, indices):
    return " and ".join(cluster.name(index) for index in sorted(indices))


def _say(whom, timeout):
    text = f"Waiting for {whom}, for at most {timeout:g} s"
    console.print(text)

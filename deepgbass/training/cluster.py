"""Which workers train together: TF_CONFIG, read before TensorFlow is.

    {"cluster": {"worker": ["host0:2222", "host1:2222"]},
     "task": {"type": "worker", "index": 0}}

Worker 0 is the chief. TensorFlow's other way to say so is known too: a task
type "chief" with one address, which then comes before the workers.
"""

import dataclasses
import json
import os
import socket

from deepgbass.errors import UserError

STRATEGIES = ("auto", "one", "mirrored", "multi_worker", "tpu")

_EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a run, and which of them this process is.

    Attributes:
        addresses: "host:port" of every worker, the chief's first.
        index: this process's place among them.
    """

    addresses: tuple[str, ...]
    index: int

    def __len__(self):
        return len(self.addresses)

    def name(self, index):
        """A worker as messages name it."""
        return f"worker {index} ({self.addresses[index]})"


def check_strategy(name, batch_size, environ=os.environ):
    """Finds what is wrong with `--strategy` and TF_CONFIG before a run.

    Args:
        name: one of `STRATEGIES`.
        batch_size: images of a step, over all workers.
        environ: environment variables: TF_CONFIG and TPU_NAME.

    Returns:
        (name, cluster): "auto" replaced where the environment decides, and
        the `Cluster` of "multi_worker", else None.

    Raises:
        UserError: an unknown name, a bad TF_CONFIG, or one that contradicts
            the name; a batch that the workers cannot share; no TPU; or the
            port of this worker is taken.
    """
    if name not in STRATEGIES:
        raise UserError(f"--strategy={name}: choose one of {STRATEGIES}")
    cluster = read_cluster(environ)
    several = cluster is not None and len(cluster) > 1
    if name == "auto" and several:
        name = "multi_worker"
    if name == "auto" and environ.get("TPU_NAME"):
        name = "tpu"
    if name == "tpu" and not environ.get("TPU_NAME"):
        raise UserError(
            "--strategy=tpu, but TPU_NAME names no TPU; set it to local on a "
            "TPU VM, or to the name of the TPU"
        )
    if name != "multi_worker":
        if several:
            raise UserError(
                f"--strategy={name}, but TF_CONFIG names {len(cluster)} "
                "workers; use --strategy=multi_worker, or unset TF_CONFIG"
            )
        return name, None
    if cluster is None:
        raise UserError(
            "--strategy=multi_worker, but TF_CONFIG is not set; set it on "
            f"every host, each with its own index: {_EXAMPLE}"
        )
    check_shares(batch_size, len(cluster), "workers")
    _require_free_port(cluster)
    return name, cluster


def check_shares(batch_size, count, noun):
    """Makes sure that a step's images divide among workers or replicas.

    Raises:
        UserError: they do not.
    """
    if batch_size < count:
        raise UserError(
            f"train.batch_size is {batch_size}, the images of a step, for "
            f"{count} {noun}: some would have none; use at most {batch_size} "
            f"{noun}, or --set train.batch_size={count} or a multiple"
        )
    if batch_size % count:
        down = batch_size // count * count
        raise UserError(
            f"train.batch_size is {batch_size}, the images of a step over all "
            f"{count} {noun}; it must be a multiple of {count}: --set "
            f"train.batch_size={down} or {down + count}"
        )


def read_cluster(environ=os.environ):
    """The cluster that TF_CONFIG describes; None without one.

    Raises:
        UserError: it is not what TensorFlow expects.
    """
    text = environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise _bad(f"is not JSON ({error})") from None
    if not isinstance(config, dict):
        raise _bad(f"is {_kind(config)}, not an object")
    jobs = _jobs(config.get("cluster"))
    task = config.get("task")
    if not isinstance(task, dict) or not {"type", "index"} <= set(task):
        raise _bad("has no task with type and index")
    job, index = task["type"], task["index"]
    if not isinstance(job, str) or job not in jobs:
        raise _bad(f"has the task type {job!r}; the cluster has {list(jobs)}")
    # Kubernetes operators write the index as a string.
    if isinstance(index, str) and index.isdecimal():
        index = int(index)
    count = len(jobs[job])
    if type(index) is not int or not 0 <= index < count:
        raise _bad(
            f"has the task index {index!r}; the {count} of type {job!r} have "
            f"0..{count - 1}"
        )
    chief = jobs.get("chief", [])
    addresses = (*chief, *jobs.get("worker", []))
    if len(set(addresses)) < len(addresses):
        twice = next(a for a in addresses if addresses.count(a) > 1)
        raise _bad(f"has the address {twice} twice; each worker needs its own")
    return Cluster(addresses, index + (len(chief) if job == "worker" else 0))


def _jobs(cluster):
    """Task type -> addresses, checked; the cluster's object itself."""
    if not isinstance(cluster, dict) or not cluster:
        raise _bad("has no cluster")
    for job, addresses in cluster.items():
        if job not in ("chief", "worker"):
            raise _bad(f"has the task type {job!r}; known are chief and worker")
        if not isinstance(addresses, list) or not addresses:
            raise _bad(f"has no list of addresses for {job!r}")
        for address in addresses:
            _check_address(address)
    if len(cluster.get("chief", [])) > 1:
        raise _bad("has several chiefs; there is one, the others are workers")
    return cluster


def _check_address(address):
    host, colon, port = str(address).rpartition(":")
    if not (isinstance(address, str) and colon and host and port.isdecimal()):
        raise _bad(f"has the address {address!r}; write it as host:port")
    if not 0 < int(port) < 65536:
        raise _bad(f"has the address {address}; ports are 1..65535")


def _require_free_port(cluster):
    port = int(cluster.addresses[cluster.index].rpartition(":")[2])
    try:
        listen(port).close()
    except OSError as error:
        raise UserError(
            f"TF_CONFIG makes this {cluster.name(cluster.index)}, but its port "
            f"cannot be used on this host ({error.strerror}); is a run still "
            "going, or is the index another's?"
        ) from None


def listen(port):
    """A socket that listens on a port of this host.

    Raises:
        OSError: the port is taken.
    """
    server = socket.socket()
    try:
        # As TensorFlow's server does: a run may follow another at once.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("", port))
        server.listen()
    except OSError:
        server.close()
        raise
    return server


def _kind(value):
    return {list: "a list", str: "a string"}.get(type(value), repr(value))


def _bad(what):
    return UserError(
        f"TF_CONFIG {what}; it must be like {_EXAMPLE}, or unset for one host"
    )

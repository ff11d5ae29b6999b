"""Workers begin together, or all of them say what is wrong."""

import concurrent.futures
import socket
import time

from free_ports import free_addresses

from deepgbass.errors import UserError
from deepgbass.training.cluster import Cluster
from deepgbass.training.roll_call import roll_call


def call(clusters, facts, timeout=20):
    """What each worker's roll call ends with: None, or what it says."""

    def one(cluster, facts):
        try:
            return roll_call(cluster, facts, timeout)
        except UserError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = list(map(pool.submit, [one] * 9, clusters, facts))
        return [future.result() for future in found]


def members(count, *indices):
    addresses = tuple(free_addresses(count))
    return [Cluster(addresses, index) for index in indices]


def test_all_workers_begin_together():
    # The chief last: the others wait for it.
    assert call(members(3, 2, 1, 0), [{"steps": "5"}] * 3) == [None] * 3


def test_one_worker_waits_for_nobody():
    roll_call(*members(1, 0), {}, 0.01)


def test_a_missing_worker_is_named_to_all_that_came():
    start = time.monotonic()
    found = call(members(4, 0, 2), [{}] * 2, timeout=1)
    assert time.monotonic() - start < 10
    assert found[0] == found[1]
    assert "worker 1 (localhost:" in found[0]
    assert "and worker 3 (localhost:" in found[0]
    assert "worker 2" not in found[0]
    assert "did not call within 1 s" in found[0]


def test_a_missing_chief_is_named():
    (found,) = call(members(2, 1), [{}], timeout=0.5)
    assert "the chief, worker 0 (localhost:" in found
    assert "did not answer within 0.5 s" in found


def test_a_worker_started_otherwise_is_named_with_the_difference():
    facts = [
        {"train.steps": "5", "same": "1"},
        {"train.steps": "6", "same": "1"},
    ]
    chief, other = call(members(2, 0, 1), facts)
    assert chief == other
    assert "worker 1 (localhost:" in chief
    assert "differs from the chief in train.steps (6 there, 5 at" in chief


def test_an_index_given_twice_is_named():
    found = call(members(3, 0, 1, 1), [{}] * 3)
    assert "two processes called as worker 1" in found[0]
    assert set(found) == {found[0]}


def test_another_cluster_is_named():
    chief, other = members(3, 0, 1)
    other = Cluster((*other.addresses[:2], "elsewhere:1"), 1)
    found = call([chief, other], [{}] * 2)
    assert found[0] == found[1]
    assert "TF_CONFIG of worker 1 has other addresses" in found[0]


def test_strangers_on_the_port_do_no_harm():
    chief, other = members(2, 0, 1)
    host, port = chief.addresses[0].split(":")

    def knock():
        for line in (b"GET / HTTP/1.0\n", b"[]\n", b'{"worker": 1}\n', b""):
            for _ in range(50):
                try:
                    with socket.create_connection(
                        (host, int(port))
                    ) as stranger:
                        stranger.sendall(line)
                    break
                except ConnectionRefusedError:
                    time.sleep(0.1)

    # The other worker comes only after the strangers.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(roll_call, chief, {}, 20)
        knock()
        roll_call(other, {}, 20)
        waiting.result()

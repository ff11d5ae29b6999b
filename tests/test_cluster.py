"""--strategy and TF_CONFIG are understood, or refused before time is spent."""

import contextlib
import json
import socket
import subprocess
import sys

import pytest
from conftest import ROOT
from free_ports import free_addresses

from deepgbass.errors import UserError
from deepgbass.training.cluster import Cluster, check_strategy, read_cluster

TWO = ["a:1", "b:2"]


def tf_config(task="worker", index=0, **cluster):
    return {
        "TF_CONFIG": json.dumps(
            {"cluster": cluster, "task": {"type": task, "index": index}}
        )
    }


def test_workers_come_in_order_and_the_chief_first():
    assert read_cluster(tf_config(index=1, worker=TWO)) == Cluster(
        ("a:1", "b:2"), 1
    )
    jobs = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    everyone = ("a:1", "b:2", "c:3")
    assert read_cluster(tf_config("chief", 0, **jobs)) == Cluster(everyone, 0)
    assert read_cluster(tf_config("worker", "1", **jobs)) == Cluster(
        everyone, 2
    )
    assert read_cluster({}) is None
    assert read_cluster({"TF_CONFIG": " "}) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "is a list, not an object"),
        ("{}", "has no cluster"),
        ('{"task": {"type": "worker", "index": 0}}', "has no cluster"),
        ('{"cluster": []}', "has no cluster"),
        ('{"cluster": {"worker": ["a:1"]}}', "has no task"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {}}', "has no task"),
        (
            '{"cluster": {"worker": ["a:1"]},'
            ' "task": {"type": ["worker"], "index": 0}}',
            r"has the task type \['worker'\]",
        ),
        ('{"cluster": {"worker": "a:1"}}', "has no list of addresses"),
        ('{"cluster": {"worker": []}}', "has no list of addresses"),
    ],
)
def test_what_tf_config_lacks_is_named(text, words):
    with pytest.raises(UserError, match=f"^TF_CONFIG {words}") as caught:
        read_cluster({"TF_CONFIG": text})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (tf_config("boss", worker=TWO), "task type 'boss'"),
        (tf_config("chief", worker=TWO), "task type 'chief'"),
        (tf_config(ps=TWO), "task type 'ps'; known are chief and worker"),
        (tf_config(index=2, worker=TWO), r"index 2; .* have 0\.\.1"),
        (tf_config(index=-1, worker=TWO), "index -1"),
        (tf_config(index=None, worker=TWO), "index None"),
        (tf_config(index=True, worker=TWO), "index True"),
        (tf_config(worker=["a:1", "a:1"]), "address a:1 twice"),
        (tf_config(worker=["a:1"], chief=["a:1"]), "address a:1 twice"),
        (tf_config(worker=["a:1", "b"]), "'b'; write it as host:port"),
        (tf_config(worker=[":1"]), "':1'; write"),
        (tf_config(worker=["a:x"]), "'a:x'; write"),
        (tf_config(worker=[7]), "7; write"),
        (tf_config(worker=["a:65536"]), r"ports are 1\.\.65535"),
        (tf_config(worker=["b:1"], chief=TWO), "several chiefs"),
    ],
)
def test_what_is_wrong_in_tf_config_is_named(config, words):
    with pytest.raises(UserError, match=f"^TF_CONFIG .*{words}") as caught:
        read_cluster(config)
    assert "\n" not in str(caught.value)


def test_the_environment_decides_auto():
    assert check_strategy("auto", 8, {}) == ("auto", None)
    assert check_strategy("one", 8, {}) == ("one", None)
    assert check_strategy("auto", 8, {"TPU_NAME": "local"}) == ("tpu", None)
    alone = tf_config(worker=["a:1"])
    assert check_strategy("auto", 8, alone) == ("auto", None)
    two = tf_config(worker=free_addresses(2))
    assert check_strategy("auto", 8, two) == ("multi_worker", read_cluster(two))


@pytest.mark.parametrize("name", ["one", "mirrored", "tpu"])
def test_a_strategy_of_one_host_contradicts_several_workers(name):
    environ = {"TPU_NAME": "local"} | tf_config(worker=TWO)
    with pytest.raises(UserError, match=f"--strategy={name}.*names 2 workers"):
        check_strategy(name, 8, environ)


def test_what_a_strategy_needs_is_named():
    with pytest.raises(UserError, match="--strategy=mpi: choose one of"):
        check_strategy("mpi", 8, {})
    with pytest.raises(UserError, match="TF_CONFIG is not set"):
        check_strategy("multi_worker", 8, {})
    with pytest.raises(UserError, match="TPU_NAME names no TPU"):
        check_strategy("tpu", 8, {})


def test_a_batch_that_workers_cannot_share_is_named():
    three = tf_config(worker=free_addresses(3))
    with pytest.raises(UserError, match="8.*over all 3 workers.*=6 or 9"):
        check_strategy("auto", 8, three)
    with pytest.raises(UserError, match="2.*for 3 workers: some .* none"):
        check_strategy("auto", 2, three)


def test_a_port_that_is_taken_is_named():
    with contextlib.closing(socket.socket()) as server:
        server.bind(("localhost", 0))
        server.listen()
        mine = f"localhost:{server.getsockname()[1]}"
        environ = tf_config(worker=[mine, "elsewhere:1"])
        with pytest.raises(UserError, match=rf"worker 0 \({mine}\), but its"):
            check_strategy("auto", 8, environ)


def test_nothing_of_it_needs_tensorflow():
    code = (
        "import deepgbass.training.cluster, sys; "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

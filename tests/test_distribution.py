"""Several processes train as one; a worker that is lost is named in time."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT
from free_ports import free_addresses
from gray_set import write_gray_set
from tiny import tiny_config
from worker import GRAY, GRAY_CONFIG, train

from deepgbass.data import pipeline
from deepgbass.errors import UserError
from deepgbass.training import distribution, workers

# docs/distributed.md promises this, from the loss to the end of the others.
LIMIT = 30

# Relative and absolute, after three steps; SyncBN takes E[x^2] - E[x]^2 in
# float32.
LOSS_TOLERANCE = 1e-5
WEIGHT_TOLERANCE = 1e-5


def start_workers(count, *arguments):
    """Processes of tests/worker.py, one for each place of a cluster."""
    addresses = free_addresses(count)
    return [
        subprocess.Popen(
            [sys.executable, "tests/worker.py", *map(str, arguments)],
            cwd=ROOT,
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT),
                "TF_CONFIG": json.dumps(
                    {
                        "cluster": {"worker": addresses},
                        "task": {"type": "worker", "index": index},
                    }
                ),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]


def wait_for_files(paths, workers, seconds):
    """Waits until the files are there; fails at once if a worker ends."""
    deadline = time.monotonic() + seconds
    while not all(path.exists() for path in paths):
        ended = [w for w in workers if w.poll() is not None]
        assert not ended, ended[0].communicate()
        assert time.monotonic() < deadline, "workers did not come up"
        time.sleep(0.1)


@pytest.mark.slow
def test_two_processes_train_as_one_until_one_is_killed(tmp_path):
    data_dir = write_gray_set(tmp_path / "ten")
    paths = [tmp_path / f"{index}.json" for index in range(2)]
    workers = start_workers(2, data_dir, tmp_path)
    try:
        wait_for_files(paths, workers, 240)
        workers[1].send_signal(signal.SIGKILL)
        start = time.monotonic()
        output, errors = workers[0].communicate(timeout=4 * LIMIT)
        took = time.monotonic() - start
    finally:
        for worker in workers:
            worker.kill()
    assert workers[0].returncode == 1, output + errors
    assert took < LIMIT
    (line,) = [x for x in errors.splitlines() if x.startswith("error:")]
    assert "worker 1 (localhost:" in line
    assert "start the same command again on all hosts" in line

    chief, other = (json.loads(path.read_text()) for path in paths)
    assert chief["workers"] == 2
    assert [chief["chief"], other["chief"]] == [True, False]
    assert [chief["first"], other["first"]] == [True, False]
    assert chief["values"] == other["values"] == [[1.5, -2.0], 3, 4.0]
    assert chief["step"] == other["step"] == 40
    assert chief["any"] == other["any"] == [False, True]
    dataset = pipeline.load_dataset(data_dir, "train")
    whole = pipeline.training_batches(dataset, GRAY_CONFIG, **GRAY)
    for (images, _), first, second in zip(
        whole.take(3), chief["rows"], other["rows"], strict=True
    ):
        np.testing.assert_array_equal(first + second, images[:, 0, 0, 0])

    one = train(tf.distribute.get_strategy())
    # All are told the losses of the whole batch, and weights stay alike.
    assert chief["parts"] == other["parts"]
    assert chief["weights"] == other["weights"]
    for got, expected in zip(chief["parts"], one["parts"], strict=True):
        assert got == pytest.approx(expected, rel=LOSS_TOLERANCE)
    assert chief["weights"].keys() == one["weights"].keys()
    for name, expected in one["weights"].items():
        # Keras's fused batch norm corrects by n / (n - 1), n = 256.
        fused = 1 / 200 * ("moving_variance" in name)
        wanted = pytest.approx(expected, abs=WEIGHT_TOLERANCE, rel=fused)
        assert chief["weights"][name] == wanted, name


def test_one_device_needs_no_strategy():
    strategy = distribution.make_strategy("one", batch_size=3)
    assert strategy is tf.distribute.get_strategy()
    assert workers.worker_count(strategy) == 1
    assert workers.is_chief(strategy)
    assert workers.chief_value(strategy, 40) == 40
    assert workers.on_any_worker(strategy, True)
    assert not workers.on_any_worker(strategy, False)
    variable = tf.Variable(2.0)
    workers.copy_from_chief(strategy, [variable])
    assert variable == 2.0


def test_facts_tell_runs_apart(tmp_path):
    data_dir = write_gray_set(tmp_path)
    facts = distribution.run_facts(tiny_config(), data_dir)
    assert facts["train.steps"] == "6"
    assert facts["tensorflow"] == tf.__version__

    def differing(other):
        return {name for name in facts if facts[name] != other[name]}

    assert not differing(distribution.run_facts(tiny_config(), data_dir))
    other = distribution.run_facts(tiny_config(steps=7), data_dir)
    assert differing(other) == {"train.steps"}
    info = data_dir / "dataset.json"
    info.write_bytes(info.read_bytes() + b" ")
    other = distribution.run_facts(tiny_config(), data_dir)
    assert differing(other) == {"dataset.json"}


def test_mirrored_without_devices_is_refused():
    if len(tf.config.list_logical_devices()) > 1:
        pytest.skip("this machine has several devices")
    with pytest.raises(UserError, match="mirrored, but .* no GPU"):
        distribution.make_strategy("mirrored", batch_size=3)


def test_a_tpu_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("TPU_NAME", "grpc://localhost:1")

    def connect(name):
        raise tf.errors.NotFoundError(None, None, "no such TPU\nat all")

    monkeypatch.setattr(
        tf.distribute.cluster_resolver.TPUClusterResolver, "connect", connect
    )
    with pytest.raises(UserError, match=r"localhost:1 \(no such TPU\);"):
        distribution.make_strategy("tpu", batch_size=8)


def test_errors_of_one_worker_are_left_alone():
    strategy = tf.distribute.get_strategy()
    with (
        pytest.raises(tf.errors.AbortedError),
        workers.lost_workers_named(strategy),
    ):
        raise tf.errors.AbortedError(None, None, "aborted")

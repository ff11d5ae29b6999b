"""Workers of tf.distribute together see what one process would see."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT
from gray_set import COUNT, assert_equal, seen, write_gray_set

from deepgbass.configs import DataConfig
from deepgbass.data import pipeline
from deepgbass.errors import UserError

CONFIG = DataConfig(crop_size=(32, 32), min_scale=1.0)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_gray_set(tmp_path_factory.mktemp("ten"))


@pytest.fixture(scope="module")
def dataset(data_dir):
    return pipeline.load_dataset(data_dir, "train")


def take(dataset, count, batch_size=6, start_step=0, **context):
    data = pipeline.training_batches(
        dataset,
        CONFIG,
        batch_size=batch_size,
        seed=5,
        start_step=start_step,
        context=tf.distribute.InputContext(**context) if context else None,
    )
    return list(data.take(count).as_numpy_iterator())


def join(batches):
    """Batches of two parts, put together in order."""
    return tuple(np.concatenate(part) for part in zip(*batches, strict=True))


@pytest.fixture(scope="module")
def whole(dataset):
    """What one worker sees: 6 epochs of 10, which begin within batches."""
    batches = take(dataset, 10)
    order = seen(batches)
    for start in range(0, 60, COUNT):
        assert sorted(order[start : start + COUNT]) == list(range(COUNT))
    return batches


@pytest.mark.parametrize(("workers", "replicas"), [(2, 3), (3, 1)])
def test_workers_together_give_the_batches_of_one(
    dataset, whole, workers, replicas
):
    parts = [
        take(
            dataset,
            10 * replicas,
            num_input_pipelines=workers,
            input_pipeline_id=worker,
            num_replicas_in_sync=workers * replicas,
        )
        for worker in range(workers)
    ]
    joined = [
        join(
            batch
            for part in parts
            for batch in part[step * replicas : (step + 1) * replicas]
        )
        for step in range(10)
    ]
    assert_equal(joined, whole)


def test_a_worker_goes_on_where_it_was(dataset, whole):
    (batch,) = take(
        dataset,
        1,
        start_step=4,
        num_input_pipelines=3,
        input_pipeline_id=1,
        num_replicas_in_sync=3,
    )
    for found, expected in zip(batch, whole[4], strict=True):
        np.testing.assert_array_equal(found, expected[2:4])


def test_a_batch_that_does_not_divide_is_named(dataset):
    place = {"num_input_pipelines": 2, "num_replicas_in_sync": 4}
    with pytest.raises(UserError, match="6.* 4 replicas on 2 workers"):
        take(dataset, 1, **place)
    with pytest.raises(UserError, match="3 replicas for 2 workers"):
        take(dataset, 1, **place | {"num_replicas_in_sync": 3})


_MIRRORED = """
import sys
import numpy as np
import tensorflow as tf

# Devices are fixed once TensorFlow has started: hence a process of its own.
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

from deepgbass.configs import DataConfig
from deepgbass.data import pipeline

dataset = pipeline.load_dataset(sys.argv[1], "train")
config = DataConfig(crop_size=(32, 32), min_scale=1.0)
batches = strategy.distribute_datasets_from_function(
    lambda context: pipeline.training_batches(
        dataset, config, batch_size=6, seed=5, context=context
    )
)
parts = ([], [])
for _, batch in zip(range(4), batches):
    for part, value in zip(parts, batch):
        replicas = strategy.experimental_local_results(value)
        assert [len(replica) for replica in replicas] == [3, 3]
        part.append(np.concatenate([replica.numpy() for replica in replicas]))
np.savez(sys.argv[2], image=parts[0], label=parts[1])
"""


@pytest.mark.slow
def test_mirrored_replicas_share_the_batches_of_one(data_dir, whole, tmp_path):
    path = tmp_path / "batches.npz"
    subprocess.run(
        [sys.executable, "-c", _MIRRORED, str(data_dir), str(path)],
        check=True,
        cwd=ROOT,
        timeout=300,
    )
    found = np.load(path)
    found = list(zip(found["image"], found["label"], strict=True))
    assert_equal(found, whole[:4])

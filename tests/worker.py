"""Run by `test_distribution.py`: one worker of a cluster, as a process.

    TF_CONFIG=... python tests/worker.py GRAY_SET OUTPUT_DIR

Writes what it saw and learned to OUTPUT_DIR/INDEX.json, then works on until
it is killed, or told that another worker was.
"""

import json
import pathlib
import sys
import time

import tensorflow as tf
from small_network import make_step, small_batch

from deepgbass.configs import DataConfig
from deepgbass.data.pipeline import load_dataset
from deepgbass.errors import UserError
from deepgbass.files import write_atomic
from deepgbass.losses import SBALoss
from deepgbass.training.cluster import check_strategy
from deepgbass.training.distribution import distributed_batches, make_strategy
from deepgbass.training.workers import (
    chief_first,
    chief_value,
    copy_from_chief,
    is_chief,
    lost_workers_named,
    on_any_worker,
    worker_count,
)

GRAY = {"batch_size": 6, "seed": 5, "start_step": 4}
GRAY_CONFIG = DataConfig(crop_size=(32, 32), min_scale=1.0)


def train(strategy):
    """Three steps of SBAL; the components of each, and all weights then."""
    with strategy.scope():
        model, step = make_step(
            SBALoss(ce_weight=0.5), strategy, optimizer="sgd"
        )

    def rows_of_replica(values):
        def take(context):
            count = len(values) // context.num_replicas_in_sync
            first = context.replica_id_in_sync_group * count
            return tf.constant(values[first : first + count])

        return strategy.experimental_distribute_values_from_function(take)

    batch = [rows_of_replica(values) for values in small_batch()]
    parts = []
    for _ in range(3):
        found = step(*batch)
        parts.append({name: float(value) for name, value in found.items()})
    weights = [variable.numpy().ravel().tolist() for variable in model.weights]
    names = [variable.name for variable in model.weights]
    return {
        "parts": parts,
        "weights": dict(zip(names, weights, strict=True)),
    }


def share(strategy, data_dir, output_dir):
    """The rows of three steps, values from the chief, and agreements."""
    chief = is_chief(strategy)
    written = pathlib.Path(output_dir) / "written"
    with chief_first(strategy):
        found = written.exists()
        time.sleep(0.5)
        written.touch()
    with strategy.scope():
        variables = [
            tf.Variable([1.5, -2.0]),
            tf.Variable(3, dtype=tf.int64),
            tf.Variable(
                4.0,
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.MEAN,
            ),
        ]
    if not chief:
        for variable, value in zip(
            variables, ([-7.0, float("nan")], -7, -7.0), strict=True
        ):
            variable.values[0].assign(value)
    copy_from_chief(strategy, variables)
    dataset = load_dataset(data_dir, "train")
    batches = distributed_batches(strategy, dataset, GRAY_CONFIG, **GRAY)
    rows = [
        part[:, 0, 0, 0].numpy().tolist()
        for _, (images, _) in zip(range(3), batches, strict=False)
        for part in strategy.experimental_local_results(images)
    ]
    return {
        "workers": worker_count(strategy),
        "chief": chief,
        "first": not found,
        "values": [v.values[0].numpy().tolist() for v in variables],
        "step": int(chief_value(strategy, 40 if chief else 7)),
        "rows": rows,
        "any": [on_any_worker(strategy, flag) for flag in (False, not chief)],
    }


def main(gray_set, output_dir):
    name, cluster = check_strategy("auto", 6)
    strategy = make_strategy(name, cluster, batch_size=6, timeout=120)
    seen = share(strategy, gray_set, output_dir) | train(strategy)
    path = pathlib.Path(output_dir) / f"{cluster.index}.json"
    write_atomic(path, json.dumps(seen))
    with lost_workers_named(strategy):
        while not on_any_worker(strategy, False):
            time.sleep(0.05)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")

"""Run by `test_multi_worker.py`: `deepgbass.training.loop.train`, as a worker.

    TF_CONFIG=... python tests/train_worker.py DATA_DIR WORKDIR STEPS

The network is that of kill_training.py, so that compiling takes seconds. Ends
as train.py does: with status 1 and one line where something went wrong.
"""

import sys

from kill_training import make_model
from tiny import tiny_config

from deepgbass import experiment
from deepgbass.errors import UserError
from deepgbass.training.cluster import check_strategy
from deepgbass.training.distribution import make_strategy
from deepgbass.training.loop import train
from deepgbass.training.workers import lost_workers_named, wait_for_all


def main(data_dir, workdir, steps):
    experiment.make_model = make_model
    config = tiny_config(
        batch_size=4, optimizer="sgd", steps=int(steps), checkpoint_every=10
    )
    name, cluster = check_strategy("auto", 4)
    strategy = make_strategy(name, cluster, batch_size=4)
    try:
        with lost_workers_named(strategy):
            train(config, workdir, data_dir, strategy=strategy)
            wait_for_all(strategy)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])

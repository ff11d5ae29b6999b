"""Training on several devices or hosts, by tf.distribute.

    from deepgbass.training.cluster import check_strategy
    from deepgbass.training.distribution import make_strategy
    from deepgbass.training.workers import lost_workers_named

    name, cluster = check_strategy("auto", batch_size)
    strategy = make_strategy(name, cluster, batch_size=batch_size)
    with strategy.scope(), lost_workers_named(strategy):
        ...

Every worker runs the same program. What it does alone (files, evaluation)
must not read variables of the strategy: batch statistics are summed over the
workers when read. docs/distributed.md has the commands and the guarantees.
"""

import contextlib
import dataclasses
import faulthandler
import hashlib
import os
import pathlib

import tensorflow as tf

from deepgbass.data.pipeline import training_batches
from deepgbass.errors import UserError
from deepgbass.progress import console
from deepgbass.training.cluster import check_shares
from deepgbass.training.roll_call import roll_call
from deepgbass.versions import versions

_START_SECONDS = 300


def make_strategy(
    name, cluster=None, *, batch_size, facts=None, timeout=_START_SECONDS
):
    """The strategy of `--strategy`; the first thing done with TensorFlow.

    Args:
        name, cluster: what `cluster.check_strategy` returned. "auto" takes
            all GPUs of this host if there are several, else one device.
            "mirrored" takes all GPUs or, without any, the logical CPU
            devices, if there are several (for tests).
        batch_size: images of a step, over all replicas.
        facts: dict of name -> string that every worker must have alike,
            such as `run_facts`.
        timeout: seconds within which all workers must have come up. Should
            one vanish while TensorFlow connects them, this process ends as
            long after, with status 1.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        UserError: a device is missing, the batch does not divide among the
            replicas, a worker did not come up, or was started otherwise.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one"
    if name == "multi_worker":
        roll_call(cluster, facts or {}, timeout)
        strategy = _connect_workers(bool(gpus), timeout)
    elif name == "tpu":
        strategy = _connect_tpu()
    elif name == "mirrored":
        strategy = _mirror(gpus)
    else:
        strategy = tf.distribute.get_strategy()
    check_shares(batch_size, strategy.num_replicas_in_sync, "replicas")
    return strategy


def _connect_workers(has_gpus, timeout):
    kinds = tf.distribute.experimental.CommunicationImplementation
    # No timeout_seconds: others may wait for the chief's evaluation.
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=kinds.NCCL if has_gpus else kinds.RING
    )
    console.print(
        "Connecting the workers; without an answer this process ends in "
        f"{timeout} s"
    )
    # TensorFlow waits here without limit and holds the interpreter's lock,
    # so that no timer in Python could end it.
    faulthandler.dump_traceback_later(timeout, exit=True)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(
            communication_options=options
        )
    finally:
        faulthandler.cancel_dump_traceback_later()


def _connect_tpu():
    name = os.environ["TPU_NAME"]
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(
            name
        )
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"--strategy=tpu: no TPU answers as TPU_NAME={name} ({reason}); a "
            "TensorFlow with TPU support is needed, too"
        ) from None
    return tf.distribute.TPUStrategy(resolver)


def _mirror(gpus):
    if gpus:
        return tf.distribute.MirroredStrategy()
    cpus = tf.config.list_logical_devices("CPU")
    if len(cpus) < 2:
        raise UserError(
            "--strategy=mirrored, but TensorFlow finds no GPU; use "
            "--strategy=one, or mend its CUDA installation"
        )
    return tf.distribute.MirroredStrategy([device.name for device in cpus])


def run_facts(config, data_dir=None):
    """What all workers of a run must have alike, for `make_strategy`.

    Args:
        config: `ExperimentConfig`.
        data_dir: folder of records, or None.

    Returns:
        dict of name -> string: versions, the fields of the configuration and
        a digest of `dataset.json`, which has those of the records.
    """
    facts = versions()
    for section, fields in dataclasses.asdict(config).items():
        if isinstance(fields, dict):
            for name, value in fields.items():
                facts[f"{section}.{name}"] = str(value)
    if data_dir:
        with contextlib.suppress(OSError):
            text = (pathlib.Path(data_dir) / "dataset.json").read_bytes()
            facts["dataset.json"] = hashlib.sha256(text).hexdigest()[:12]
    return facts


def distributed_batches(strategy, dataset, config, **options):
    """`pipeline.training_batches`, each replica with its own rows.

    Every image of a step comes once: replica r of n has the r-th n-th of the
    rows that one device would have, in order of workers and their devices.

    Args:
        dataset, config, options: as for `training_batches`, but the context.

    Returns:
        Iterable of pairs of per-replica values for `strategy.run`.
    """
    return strategy.distribute_datasets_from_function(
        lambda context: training_batches(
            dataset, config, context=context, **options
        )
    )

"""What the workers of a training tell each other, and which of them is lost.

Functions that say so must be called by all workers, in the same order.
"""

import contextlib
import re

import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.training.cluster import Cluster

# What an operation over all workers raises once one of them is gone.
PEER_ERRORS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)

_TASK = re.compile(r"/job:(chief|worker)(?:/replica:0)?/task:(\d+)")


def cluster_of(strategy):
    """The `Cluster` of a multi-worker strategy; one worker for all others."""
    tasks = _tasks(strategy)
    if not tasks:
        return Cluster(("this host",), 0)
    resolver = strategy.cluster_resolver
    own = list(tasks).index((resolver.task_type, resolver.task_id))
    return Cluster(tuple(tasks.values()), own)


def _tasks(strategy):
    """(type, number) -> address of the workers, the chief's first."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return {}
    jobs = strategy.cluster_resolver.cluster_spec().as_dict()
    return {
        (job, number): address
        for job in ("chief", "worker")
        for number, address in enumerate(jobs.get(job, ()))
    }


def worker_count(strategy):
    """How many processes train together."""
    return len(cluster_of(strategy))


def is_chief(strategy):
    """Whether this process is the one that evaluates and writes files."""
    return cluster_of(strategy).index == 0


def sum_over_workers(strategy, value):
    """The sum of a tensor over all workers; all of them must call it."""
    if worker_count(strategy) == 1:
        return tf.convert_to_tensor(value)
    return strategy.reduce(
        tf.distribute.ReduceOp.SUM, tf.identity(value), axis=None
    )


def chief_value(strategy, value):
    """The chief's value of a tensor; all workers must call it, with theirs.

    For what only the chief can know, such as the step of its checkpoint. The
    others' must have the same shape and type.
    """
    value = tf.convert_to_tensor(value)
    if not is_chief(strategy):
        value = tf.zeros_like(value)
    return sum_over_workers(strategy, value)


def on_any_worker(strategy, flag):
    """Whether a bool is true on any worker; all must call it.

    For a request to stop, which reaches one worker but concerns all: without
    agreement the others would wait for the one that stopped.
    """
    return bool(sum_over_workers(strategy, tf.cast(flag, tf.int32)))


def wait_for_all(strategy):
    """Returns once every worker is here, however long that takes."""
    sum_over_workers(strategy, 0)


@contextlib.contextmanager
def chief_first(strategy):
    """Lets the other workers in once the chief is through; all must enter.

    For what writes to a folder that they may share.
    """
    if not is_chief(strategy):
        wait_for_all(strategy)
    yield
    if is_chief(strategy):
        wait_for_all(strategy)


def copy_from_chief(strategy, variables):
    """Gives every worker the chief's values; all must call it.

    So the chief alone reads checkpoints and weights, and the workers cannot
    begin apart.

    Args:
        variables: list of the strategy's variables of any numeric dtype.
    """
    if worker_count(strategy) == 1:
        return
    for variable in variables:
        # To read or assign a batch statistic as a whole is an operation over
        # all workers in itself; its parts are local.
        parts = strategy.experimental_local_results(variable)
        value = chief_value(strategy, parts[0].read_value())
        for part in parts:
            part.assign(value)


@contextlib.contextmanager
def lost_workers_named(strategy):
    """Makes TensorFlow's errors about another worker a `UserError`.

    Raises:
        UserError: another worker ended or cannot be reached.
    """
    try:
        yield
    except PEER_ERRORS as error:
        if worker_count(strategy) == 1:
            raise
        raise UserError(
            f"{_lost(strategy, str(error))} stopped or cannot be reached; see "
            "why in its output, then start the same command again on all "
            "hosts: it goes on at the newest checkpoint"
        ) from error


def _lost(strategy, message):
    """The worker that an error of TensorFlow is about, if it says so."""
    tasks, cluster = list(_tasks(strategy)), cluster_of(strategy)
    for job, number in _TASK.findall(message):
        index = tasks.index((job, int(number)))
        if index != cluster.index:
            return cluster.name(index)
    # The chief keeps watch over all; whom it does not answer, has lost it.
    if "CoordinationService/" in message:
        return cluster.name(0)
    return "another worker"

"""Two replicas are one device: the global batch, synchronised batch norm.

A program of its own, since TensorFlow takes logical devices only before
anything else. There is one MirroredStrategy, since collectives of two on the
same CPUs get mixed up.
"""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow

PROGRAM = """
import json
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
# Compiling would take most of the time, and is tested elsewhere.
import deepgbass.compiled
deepgbass.compiled.compiled = lambda function: function
from small_network import make_step, small_batch
from deepgbass.errors import UserError
from deepgbass.losses import IgnoreCrossentropy, SBALoss

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def halves(values):
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(
            values[2 * context.replica_id_in_sync_group :][:2]
        )
    )

CASES = {
    "sync": (SBALoss(ce_weight=0.5), {}),
    "all": (
        SBALoss(),
        {
            "accumulate": 2,
            "freeze_batch_norm": True,
            "recompute": True,
            "ema_decay": 0.5,
            "clip_norm": 0.2,
            "rate_multipliers": ("logits=0.5",),
        },
    ),
    "float16": (
        IgnoreCrossentropy(),
        {"precision": "mixed_float16", "freeze_batch_norm": True},
    ),
}
results = {}
for name, (loss, fields) in CASES.items():
    runs = []
    for devices in (1, 2):
        scope = strategy if devices == 2 else tf.distribute.get_strategy()
        with scope.scope():
            model, step = make_step(loss, scope, optimizer="sgd", **fields)
        parts = []
        for _ in range(3):
            batch = small_batch()
            if devices == 2:
                batch = map(halves, batch)
            parts.append({k: float(v) for k, v in step(*batch).items()})
        if step.average:
            step.average.apply()
        weights = [
            (w.name, w.numpy().ravel().tolist()) for w in model.weights
        ]
        runs.append({"parts": parts, "weights": weights})
    results[name] = runs
try:
    make_step(strategy=strategy, batch_size=3)
except UserError as error:
    results["error"] = str(error)
print("RESULT" + json.dumps(results))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": ""},
        cwd=tmp_path_factory.mktemp("replicas"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.partition("RESULT")[2])


# Relative for losses, absolute for weights. SyncBN takes E[x^2] - E[x]^2 in
# float32, and what is small in float16 depends on the order of sums.
TOLERANCES = {
    "sync": (1e-4, 1e-5),
    "all": (1e-5, 1e-6),
    "float16": (1e-3, 1e-3),
}


@pytest.mark.parametrize("case", TOLERANCES)
def test_losses_and_weights_are_those_of_one_device(results, case):
    one, two = results[case]
    loss_tolerance, tolerance = TOLERANCES[case]
    for got, expected in zip(two["parts"], one["parts"], strict=True):
        assert got == pytest.approx(expected, rel=loss_tolerance)
    for (name, got), (_, expected) in zip(
        two["weights"], one["weights"], strict=True
    ):
        # Keras's fused batch norm corrects by n / (n - 1), n = 256.
        fused = case == "sync" and "moving_variance" in name
        wanted = pytest.approx(expected, abs=tolerance, rel=1 / 200 * fused)
        assert got == wanted, name


def test_a_batch_that_does_not_divide_is_refused(results):
    assert (
        "train.batch_size is 3; it must be a multiple of 2"
        in (results["error"])
    )

"""Run by `test_sigkill.py`: a training that is killed again and again.

    python tests/kill_training.py DIR KILLS

DIR holds the data set `data`. One child trains into DIR/whole. Others train
into DIR/killed, one after the other: each second one kills itself before a
random call that touches a file, the others are killed from outside at a random
time; the last may finish. TensorFlow is imported once, before the forks, and
the network is so small that most of a run is saving.
"""

import dataclasses
import functools
import os
import pathlib
import random
import signal
import sys
import time

import numpy as np
import tensorflow as tf
from fake_meter import FakeGallery, FakeMeter
from kill_conversion import in_child
from tiny import tiny_config

from deepgbass import experiment
from deepgbass.keras_api import keras
from deepgbass.training import checkpoints, loop, monitor

CONFIG = tiny_config(
    steps=120,
    log_every=3,
    checkpoint_every=2,
    eval_every=6,
    keep=2,
    keep_best=2,
    deterministic=True,
    ema_decay=0.9,
)
CONFIG = dataclasses.replace(
    CONFIG, data=dataclasses.replace(CONFIG.data, crop_size=(20, 24))
)
_CALLS = ("open", "os.mkdir", "os.rename", "os.chmod", "os.remove", "os.rmdir")


def make_model(config, num_classes, size, batch_size=None):
    """In the place of `experiment.make_model`."""
    image = keras.Input((*size, 3))
    x = keras.layers.Conv2D(4, 3, 4, "same", name="stem")(image / 255)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dropout(0.2)(x)
    x = keras.layers.Conv2D(num_classes, 1, name="logits")(x)
    return keras.Model(image, x)


def measure(workdir):
    """In the place of an evaluation: numbers that depend on the weights."""
    saved = checkpoints.find(workdir)
    reader = tf.train.load_checkpoint(str(saved.path / "state"))
    keys = sorted(reader.get_variable_to_shape_map())
    kernels = [k for k in keys if k.startswith("model/") and "kernel" in k]
    miou, mbf = (np.abs(reader.get_tensor(k)).mean() for k in kernels)
    return {"miou": float(miou), "mbf": float(mbf)}


def train(root, name, moment=-1, on_first_step=lambda calls: None):
    """Trains, and dies before the call of that number.

    Args:
        on_first_step: told the number of calls until then.

    Returns:
        The number of calls.
    """
    calls = 0

    def hook(event, arguments):
        nonlocal calls
        # What is removed with a folder is named without the folder.
        removed = event in ("os.remove", "os.rmdir")
        here = removed or str(arguments[:1]).startswith(f"('{root / name}")
        if event in _CALLS and here:
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1

    class Progress(monitor.TrainingProgress):
        @functools.cached_property
        def begun(self):
            on_first_step(calls)

        def update(self, *arguments):
            self.begun  # noqa: B018
            return super().update(*arguments)

    monitor.TrainingProgress = Progress
    # Pictures and report are no part of what goes on.
    monitor.Gallery = lambda *_: FakeGallery()
    monitor.report_progress = lambda *_, **__: None
    experiment.make_model = make_model
    sys.addaudithook(hook)
    meter = FakeMeter(lambda: measure(root / name))
    # Tracing takes half the time without AutoGraph.
    tf.autograph.experimental.do_not_convert(loop.train)(
        CONFIG, root / name, root / "data", meter
    )
    return calls


def train_whole(root):
    """Trains into DIR/whole; writes what it cost into DIR/cost."""
    first = []

    def on_first_step(calls):
        first[:] = calls, time.monotonic()

    calls = train(root, "whole", on_first_step=on_first_step)
    seconds = time.monotonic() - first[1]
    (root / "cost").write_text(f"{first[0]} {calls - first[0]} {seconds}")


def kill_after(root, seconds):
    """Trains in a child that is killed so long after its first step."""
    told, pipe = os.pipe()
    child = os.fork()
    if not child:
        try:
            train(root, "killed", on_first_step=lambda _: os.write(pipe, b"x"))
        finally:
            os._exit(1)
    os.close(pipe)
    begun = os.read(told, 1)
    os.close(told)
    time.sleep(seconds)
    if begun:
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(root, kills):
    assert in_child(train_whole, root) == 0
    start, calls, seconds = map(float, (root / "cost").read_text().split())
    share = random.Random(0).random
    for number in range(kills):
        # So early that the run cannot be over before the last kill.
        if number % 2:
            code = kill_after(root, share() * seconds / kills)
        else:
            moment = int(share() * (start + calls / kills))
            code = in_child(train, root, "killed", moment)
        assert code == -signal.SIGKILL, code
        left = sorted(p.name for p in root.glob("killed/checkpoints/*"))
        print("killed", number, *left, flush=True)
    assert in_child(train, root, "killed") == 0


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))

"""SBAL trains any Keras segmentation model, of either generation.

Each example is a program of its own: all of ours in it is the loss.
"""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

MODEL = """
import numpy as np
import {keras} as keras
import deepgbass

rng = np.random.default_rng(0)
labels = rng.integers(0, 3, (8, 4, 4)).repeat(8, 1).repeat(8, 2)
images = np.eye(3)[labels].astype("float32")
images += 0.1 * rng.normal(size=images.shape).astype("float32")
labels[:, :2] = 255  # ignored
image = keras.Input((32, 32, 3))
x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(
    image
)
model = keras.Model(image, keras.layers.Conv2D(3, 1)(x))
"""
FIT = """
model.compile(
    optimizer=keras.optimizers.Adam(0.02), loss=deepgbass.SBALoss()
)
history = model.fit(images, labels, batch_size=4, epochs=15, verbose=0)
losses = history.history["loss"]
assert np.isfinite(losses).all(), losses
assert losses[-1] < 0.7 * losses[0], losses
quiet = deepgbass.SBALoss(noise=False)
model.compile(loss=quiet)
value = model.evaluate(images, labels, batch_size=8, verbose=0)
expected = quiet(labels, model(images))
assert abs(value - expected) < 1e-4 * value, (value, expected)
right = model.predict(images, verbose=0).argmax(-1) == labels[:, ::2, ::2]
assert right[:, 1:].mean() > 0.9, right.mean()
"""
# On a GPU, Keras 3 compiles the whole step by XLA: test_losses_compiled.py.
EXAMPLES = {
    "tf_keras": MODEL.format(keras="tf_keras") + FIT,
    "keras3": MODEL.format(keras="keras")
    + FIT
    + "import sys; assert 'tf_keras' not in sys.modules\n",
    "keras3, uncompiled, mixed precision": MODEL.format(keras="keras").replace(
        "import deepgbass",
        "import deepgbass\n"
        "keras.mixed_precision.set_global_policy('mixed_bfloat16')",
    )
    + FIT.replace(
        "deepgbass.SBALoss()\n",
        "deepgbass.SBALoss(),\n    jit_compile=False,\n",
        # A compiled network rounds logits to bfloat16 elsewhere than an eager
        # one: by 1 / 256 of about 5, which the loss follows.
    ).replace("1e-4 * value", "0.05 * value"),
}


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example, tmp_path):
    env = os.environ | {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": ROOT}
    # Set by the import of tensorflow-model-optimization, in other tests.
    env.pop("TF_USE_LEGACY_KERAS", None)
    done = subprocess.run(
        [sys.executable, "-c", EXAMPLES[example]],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

"""A step that is not finite: its cause is named."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tiny import SIZE, tiny_config, write_tiny

from deepgbass.data.pipeline import load_dataset, training_batches
from deepgbass.keras_api import keras
from deepgbass.layers.dropout import DropoutSeed
from deepgbass.losses import IgnoreCrossentropy, SBALoss
from deepgbass.training.diagnosis import (
    broken_step,
    explain,
    step_images,
)

CLASSES = 6
NAMES = ["first.png", "second.png"]


class ShiftedRoot(keras.layers.Layer):
    """sqrt(mean of the image + shift): NaN where that is below 0."""

    def build(self, shape):
        self.shift = self.add_weight("shift", (), initializer="zeros")

    def call(self, x):
        mean = tf.reduce_mean(x, [1, 2, 3], keepdims=True)
        return x + tf.sqrt(mean + self.shift)


class Root(keras.layers.Layer):
    """sqrt(relu(x)): finite, but its gradient is not where x is 0."""

    def call(self, x):
        return tf.sqrt(tf.nn.relu(x))


def make_model(layer=None, size=(12, 16)):
    image = keras.Input((*size, 3))
    x = layer(image) if layer else image
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(image, keras.layers.Conv2D(CLASSES, 1, name="logits")(x))


def batch():
    """Two images, the second brighter, and labels with ignored pixels."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 100, (2, 12, 16, 3)).astype(np.float32)
    images[1] += 150
    labels = rng.integers(0, CLASSES, (2, 12, 16)).astype(np.int32)
    labels[:, :2] = 255
    return images, labels


def cause(model, images, labels, loss=None):
    return explain(
        model, loss or IgnoreCrossentropy(), images, labels, (0, 0), NAMES
    )


@pytest.mark.parametrize(
    "loss",
    [
        IgnoreCrossentropy(),
        pytest.param(SBALoss(), marks=pytest.mark.slow),
    ],
)
def test_a_sound_step_has_no_cause(loss):
    assert cause(make_model(), *batch(), loss) is None


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_an_image_that_is_not_finite_is_named(bad):
    images, labels = batch()
    images[1, 3, 4, 0] = bad
    found = cause(make_model(), images, labels)
    assert "input" in found and "second.png" in found
    assert "first.png" not in found


def test_a_weight_that_is_not_finite_names_its_layer():
    model = make_model()
    norm = model.get_layer("norm")
    norm.gamma.assign([1, np.nan, np.inf, 1])
    found = cause(model, *batch())
    assert "first layer" in found and " norm: 2 of the 4 " in found
    assert "gamma" in found


def test_moving_statistics_that_training_does_not_read_are_no_cause():
    model = make_model()
    norm = model.get_layer("norm")
    norm.moving_mean.assign([np.nan] * 4)
    assert cause(model, *batch()) is None
    norm.trainable = False
    assert "moving_mean" in cause(model, *batch())


def test_the_first_layer_whose_output_is_not_finite_is_named():
    images, labels = batch()
    # NaN in the first image alone, whose mean is about 50.
    layer = ShiftedRoot(name="root")
    model = make_model(layer)
    assert cause(model, images, labels) is None
    layer.shift.assign(-100)
    found = cause(model, images, labels)
    assert "first layer that is not finite is root" in found
    assert "first.png" in found and "second.png" not in found
    assert "its weights 1e+02" in found
    layer.shift.assign(-1000)
    assert "all images of the batch" in cause(model, images, labels)


def test_a_loss_that_is_not_finite_names_its_part():
    class Broken(IgnoreCrossentropy):
        def components(self, labels, logits, seed=None):
            parts = super().components(labels, logits, seed)
            return parts | {"sbl": tf.math.log(-parts["total"])}

    found = cause(make_model(), *batch(), Broken())
    assert "layers are finite, but the loss is not: sbl nan" in found


def test_a_gradient_that_is_not_finite_names_part_or_weight():
    class Steep(IgnoreCrossentropy):
        def components(self, labels, logits, seed=None):
            return {"total": tf.reduce_sum(tf.sqrt(0.0 * logits))}

    found = cause(make_model(), *batch(), Steep())
    assert "respect to the logits is not: of total" in found

    image = keras.Input((12, 16, 3))
    x = keras.layers.Conv2D(4, 1, use_bias=False, name="before")(image)
    x = keras.layers.Conv2D(CLASSES, 1, name="logits")(Root()(x))
    images, labels = batch()
    images[0, :, :3] = 0
    found = cause(keras.Model(image, x), images, labels)
    assert "gradients are not" in found and "before/kernel" in found


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = write_tiny(tmp_path_factory.mktemp("data"), train=5)
    return load_dataset(folder, "train")


def test_the_images_of_a_step_are_those_that_it_trains_on(dataset):
    plain = {"min_scale": 1.0, "max_scale": 1.0, "flip": False}
    config = dataclasses.replace(tiny_config().data, **plain)
    stored = {e["filename"]: e["image"] for e in dataset.examples()}
    options = {"batch_size": 2, "seed": 3}
    batches = training_batches(dataset, config, **options)
    # Into the second epoch.
    for step, (images, _) in zip(range(1, 5), batches, strict=False):
        names = step_images(dataset, step=step, **options)
        assert len(names) == 2
        for name, image in zip(names, images.numpy(), strict=True):
            np.testing.assert_allclose(image, stored[name], atol=0.51)


def test_the_message_names_step_images_layer_and_checkpoint(dataset):
    model = make_model(size=SIZE)
    model.get_layer("conv").bias.assign([np.nan] * 4)
    config = tiny_config(batch_size=3)
    error = broken_step(
        4,
        config,
        dataset,
        model,
        IgnoreCrossentropy(),
        DropoutSeed(model),
        "run/step-2",
    )
    message = str(error)
    assert "step 4 of 6" in message and "run/step-2" in message
    assert " conv: 4 of the 4 values of its bias" in message
    names = step_images(dataset, batch_size=3, seed=0, step=4)
    assert ", ".join(names) in message
    assert 3 <= message.count("\n") <= 5


class Inverse(keras.layers.Layer):
    def call(self, x):
        return 1 / x


def test_dropout_is_that_of_the_step(dataset):
    # One number an image, so that half of the steps drop one of the two.
    image = keras.Input((*SIZE, 3))
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(image + 1)
    x = keras.layers.Conv2D(1, 1, kernel_initializer="ones")(x)
    x = Inverse(name="inverse")(keras.layers.Dropout(0.3)(x))
    x = image[:, ::4, ::4, :1] * x
    model = keras.Model(image, keras.layers.Conv2D(CLASSES, 1)(x))
    dropout, config = DropoutSeed(model), tiny_config(batch_size=2)
    broken = []
    for step in range(1, 9):
        seed = tf.constant([config.train.seed, step - 1, 0], tf.int64)
        with dropout.of(seed):
            logits = model(np.ones((2, *SIZE, 3), np.float32), training=True)
        broken.append(not np.isfinite(logits).all())
        error = broken_step(
            step, config, dataset, model, IgnoreCrossentropy(), dropout, None
        )
        assert ("that is not finite is inverse" in str(error)) == broken[-1]
    assert 0 < sum(broken) < len(broken)

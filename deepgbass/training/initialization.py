"""Initial weights of a run: published ones, or random (section IV.A).

The paper starts every training from ImageNet weights.
"""

import contextlib

from deepgbass import experiment
from deepgbass.data.pipeline import training_batches
from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.progress import console
from deepgbass.zoo.formats import identify
from deepgbass.zoo.loading import load_zoo_weights
from deepgbass.zoo.recalibration import recalibrate_batch_norm

# docs/zoo.md measures how near 16 images bring training's first step to the
# file's inference.
CROPS = 16


def check(config):
    """Makes sure that `train.init_weights` fits, before data are read.

    It is loaded into a network that is thrown away. Classes are not looked
    at: a last layer of another number of classes is initialised anew.

    Args:
        config: `ExperimentConfig`.

    Raises:
        UserError: the file is missing, corrupt, or of another network.
    """
    train = config.train
    if train.init_weights is None:
        return
    with _naming_the_field():
        identify(train.init_weights)  # at once: a network takes seconds
    model = experiment.make_model(config.model, 2, config.data.crop_size)
    with console.capture():
        _load(model, train)


def initialize(model, config, dataset):
    """Gives a network the weights that its run begins with, and says which.

    Batch norms that a `.tflite` file had folded get the statistics of crops
    of the training pipeline, so that training starts as the function that the
    file computes; the same seed gives the same crops.

    Args:
        model: the network of `config.model` with random weights, changed in
            place.
        config: `ExperimentConfig`.
        dataset: `SegmentationDataset` of the training split.

    Raises:
        UserError: as `check`.
    """
    train = config.train
    if train.init_weights is None:
        console.print(
            "Random weights; the paper starts from ImageNet: "
            "--set train.init_weights=PATH (docs/zoo.md)"
        )
        return
    report = _load(model, train)
    if report.format != "TFLite":
        return
    loaded = {name.split("/")[0] for name in report.loaded}
    # Recalibration keeps the function of inference, and would turn the new
    # layers' batch norms into mere scales that do nothing.
    new = {
        layer: layer.get_weights()
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.name not in loaded
    }
    crops = training_batches(
        dataset, config.data, batch_size=1, seed=train.seed
    ).take(CROPS)
    count = recalibrate_batch_norm(model, (images for images, _ in crops))
    for layer, weights in new.items():
        layer.set_weights(weights)
    console.print(
        f"{count - len(new)} batch norms recalibrated on {CROPS} training crops"
    )


def _load(model, train):
    with _naming_the_field():
        return load_zoo_weights(model, train.init_weights, train.init_parts)


@contextlib.contextmanager
def _naming_the_field():
    try:
        yield
    except UserError as error:
        raise UserError(f"train.init_weights: {error}") from None

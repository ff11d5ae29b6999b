"""`load_zoo_weights`: published weights into one of our networks.

Everything is read and checked before anything is assigned, and a weight that
matches nothing is an error, never silence.
"""

import numpy as np

from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.resize import Resize
from deepgbass.progress import console
from deepgbass.zoo.formats import identify
from deepgbass.zoo.matching import match
from deepgbass.zoo.names import group
from deepgbass.zoo.report import LoadReport
from deepgbass.zoo.tf1_checkpoint import read_checkpoint
from deepgbass.zoo.tflite_variables import read_tflite


def load_zoo_weights(
    model: keras.Model, path, parts: str = "all"
) -> LoadReport:
    """Sets the weights of a network to published ones, and says what it did.

    Reads checkpoints of TF1 slim and DeepLab, and `.tflite` files whose batch
    norms are folded: their weights are dequantised, and each bias becomes the
    beta of a batch norm that does nothing else (mean 0, variance 1). That
    keeps the inference function; before training with batch statistics, call
    `recalibrate_batch_norm`.

    Optimiser state, moving-average shadows and ranges of fake quantisation
    are skipped, and so is a classifier's head or slim's last convolution
    (`Conv_1`) where the network has none. If the last layer has another
    number of classes, it is initialised anew.

    Args:
        model: a network of `build_model` or `build_classifier`.
        path: a `.tflite` file; or a checkpoint: its prefix, its index or data
            file, or a folder with one checkpoint.
        parts: "all", or "backbone" to leave the head as it is, whatever the
            file's head looks like.

    Returns:
        The report, which is also printed.

    Raises:
        UserError: the file is missing, corrupt or of another kind; it holds
            another backbone, a weight that the network has no place for, or
            NaN; or it lacks a weight of the backbone. The network is then
            unchanged.
    """
    if parts not in ("all", "backbone"):
        raise UserError(f'parts: {parts!r} is neither "all" nor "backbone"')
    if not isinstance(model, keras.Model):
        raise UserError(
            f"model: {type(model).__name__} is not a network of build_model"
        )
    variables = {
        f"{layer.name}/{v.name.rsplit('/', 1)[-1].split(':')[0]}": v
        for layer in model.layers
        for v in layer.weights
    }
    source = identify(path)
    skipped, notes = (), ()
    if source.format == "TFLite":
        values, notes = read_tflite(source.path, model)
    else:
        values, skipped = read_checkpoint(source.path)
    shapes = {name: tuple(v.shape) for name, v in variables.items()}
    matched = match(source.path, values, shapes, parts)
    loaded = _in_aspp_form(matched.loaded, model)
    for name, value in loaded.items():
        variables[name].assign(value)
    for name in matched.renewed:
        _initialise(model.get_layer(name))
    report = LoadReport(
        path=source.path,
        format=source.format,
        loaded=tuple(name for name in variables if name in loaded),
        skipped=(*skipped, *matched.skipped),
        missing=tuple(name for name in variables if name not in loaded),
        notes=(*notes, *matched.notes, *_resize_notes(loaded, model)),
    )
    console.print(str(report))
    return report


def _initialise(layer):
    """Fresh values, as the layer had when it was built."""
    for variable, initializer in (
        (layer.kernel, layer.kernel_initializer),
        (layer.bias, layer.bias_initializer),
    ):
        # A seeded initialiser would repeat itself, and Keras warns of that.
        fresh = type(initializer).from_config(initializer.get_config())
        variable.assign(fresh(variable.shape, variable.dtype))


def _resize_notes(loaded, model):
    """Shapes cannot tell that a decoder was trained with other resizes."""
    if any(group(name.split("/")[0]) == "decoder" for name in loaded) and any(
        isinstance(layer, Resize) and not layer.align_corners
        for layer in model.layers
    ):
        yield (
            "the decoder was trained with align_corners resizes, which this"
            " network has not: give build_model align_corners=True"
        )


def _in_aspp_form(values, model):
    """Values with the projection's rows as `layers/aspp.py` has them.

    There the pooled branch is added to aspp0, so the rows of aspp0 are
    W_0 - W_pool.
    """
    name = "concat_projection/kernel"
    if name not in values:
        return values
    pooled = model.get_layer("image_pooling").filters
    kernel = values[name].astype(np.float64)
    kernel[:, :, pooled : 2 * pooled] -= kernel[:, :, :pooled]
    return values | {name: kernel}

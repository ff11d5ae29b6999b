"""Quantisation-aware training: the network as int8 will compute it.

tensorflow-model-optimization wraps the layers of the export form, so that
every operator that is exported is rounded as in training. Ranges are those
that post-training quantisation would take, and stay: averages of the extremes
of batches would widen them again, and let apart what must share a scale.
"""

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.util import modify_model_io_type

from deepgbass.errors import UserError
from deepgbass.export.graph import constant_graph, exportable, scale_bytes
from deepgbass.export.qat_configs import (
    OperatorConfig,
    Wrapper,
    fixed_range,
    kernel_name,
    rounded_layers,
)
from deepgbass.export.ranges import measure_ranges
from deepgbass.export.tflite import to_float
from deepgbass.export.tflite_reader import read_graph
from deepgbass.keras_api import keras

_PREPROCESS = "preprocess"
_BYTES = tuple(scale_bytes(np.array([0, 255], np.uint8)).tolist())


@keras.utils.register_keras_serializable("deepgbass")
class HeldBatchNormalization(keras.layers.BatchNormalization):
    """Batch norm that uses and keeps its moving statistics in training too.

    int8 folds them into the kernel. Gamma and beta are trained: they make up
    for what rounding shifts.
    """

    def call(self, inputs, training=None):
        return super().call(inputs, training=False)


def quantized_network(model, ranges, pixels=False):
    """A network that rounds as int8 does, with the weights of a float one.

    Args:
        model: from `build_model`, left as it is.
        ranges: of `activation_ranges`, at any size of the same network.
        pixels: whether it takes 0..255, for training, instead of
            `graph.scale_bytes`. The first convolution expects the latter's
            scaling, see `graph.export_graph`.

    Returns:
        Functional network with layers of the same names and the same
        variables to train. Dropout is off: it would leave the ranges.

    Raises:
        UserError: the model is not of float32, or the ranges are of another.
    """
    _require_float32(model)
    network = exportable(model, True)
    rounded = {
        layer.name for group in rounded_layers(network) for layer in group
    }
    if rounded != set(ranges):
        raise UserError(
            "quantisation-aware training: the ranges are of another network; "
            "measure them on this one"
        )

    def wrap(layer):
        kind, config = type(layer), layer.get_config()
        name = layer.name
        if kind is keras.layers.BatchNormalization:
            kind = HeldBatchNormalization
        elif kind is keras.layers.Dropout:
            kind, config = keras.layers.Activation, _linear(name)
        elif pixels and name == _PREPROCESS:
            kind, config = keras.layers.Rescaling, _scaling(name)
        copy = kind.from_config(config)
        kernel, output = kernel_name(layer), ranges.get(name)
        if kernel is None and output is None:
            return copy
        return Wrapper(copy, OperatorConfig(kernel, output), name_prefix="")

    quantized = keras.models.clone_model(network, clone_function=wrap)
    _copy_weights(network, quantized)
    return quantized


def float_network(network, model):
    """What a network that rounds would be without rounding.

    Args:
        network: of `quantized_network`, trained or not.
        model: that it was made of, left as it is.

    Returns:
        Network of the same variables, which takes `graph.scale_bytes`.
    """
    plain = exportable(model, True)
    _copy_weights(network, plain)
    return plain


def _copy_weights(source, target):
    """By the names of layers, of which one network's may be wrapped."""
    for layer in source.layers:
        copies = own_weights(target.get_layer(layer.name))
        for weight, copy in zip(own_weights(layer), copies, strict=True):
            copy.assign(weight)


def own_weights(layer):
    """The weights of a layer, without the counter that tfmot gives it."""
    if not isinstance(layer, Wrapper):
        return layer.weights
    return [w for w in layer.weights if w is not layer.optimizer_step]


def _linear(name):
    return {"activation": "linear", "name": name}


def _scaling(name):
    low = _BYTES[0]
    return {"scale": (_BYTES[1] - low) / 255, "offset": low, "name": name}


def _require_float32(model):
    for layer in model.layers:
        if layer.compute_dtype not in ("float32", None):
            raise UserError(
                "quantisation-aware training needs a network of float32, and "
                f"{layer.name} computes in {layer.compute_dtype}; build it "
                "outside of network_precision"
            )


def convert_quantized(
    network, output="logits", input_type="int8", align_corners=False
):
    """Converts a network that rounds as int8 does to one that is int8.

    Args:
        network: of `quantized_network`, `(1, height, width, 3)`, not of
            pixels.
        output, align_corners: as in `graph.export_graph`.
        input_type: as in `tflite.to_int8`.

    Returns:
        bytes of the `.tflite` file.
    """
    graph = constant_graph(network, output, align_corners)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph])
    # No images and no set of operators: the ranges are in the graph.
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    content = converter.convert()
    return modify_model_io_type(content, tf.as_dtype(input_type), tf.int8)


def activation_ranges(model, images):
    """The ranges of what int8 rounds.

    Args:
        model: from `build_model`, with input `(1, height, width, 3)`.
        images: iterable of uint8 `(height, width, 3)`, at least one.

    Returns:
        dict of layer name -> (low, high), 0 among them.
    """
    network = exportable(model, True)
    groups = rounded_layers(network)
    ranges = {
        layer.name: fixed_range(layer) for group in groups for layer in group
    }
    ranges[_PREPROCESS] = _BYTES
    names = [name for name, known in ranges.items() if known is None]
    measured = keras.Model(
        network.inputs, [network.get_layer(name).output for name in names]
    )

    content = to_float(constant_graph(measured))
    found = measure_ranges(content, (scale_bytes(i[None]) for i in images))
    outputs = read_graph(content, "the float model").outputs
    ranges |= {name: found[i] for name, i in zip(names, outputs, strict=True)}
    for group in groups:
        lows, highs = zip(*(ranges[layer.name] for layer in group), strict=True)
        for layer in group:
            ranges[layer.name] = (min(lows), max(highs))
    return ranges

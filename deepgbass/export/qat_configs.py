"""How int8 will round each operator: the quantise configs of QAT.

A convolution's batch norm and ReLU become part of it in the converter, so
only what leaves the last of them is rounded. Operators that only move numbers
about (concatenation, resize, padding) have one scale for all they touch; a
second one would cost a requantisation.
"""

import collections

import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.layers.resize import Resize

try:
    import tensorflow_model_optimization as _tfmot
except ModuleNotFoundError:
    raise UserError(
        "quantisation-aware training needs tensorflow_model_optimization: "
        "pip install 'deepgbass[qat]'"
    ) from None

_tfmot = _tfmot.quantization.keras
Wrapper = _tfmot.QuantizeWrapperV2
_layers = keras.layers

_MOVERS = (
    _layers.Concatenate,
    _layers.Dropout,
    _layers.ZeroPadding2D,
    Resize,
)
DEPTHWISE = "depthwise_kernel"
_NARROWEST = 1e-6
# An int8 TANH has this scale, 1 / 128, whatever its values.
_TANH = (-1.0, 127 / 128)


class KernelQuantizer(_tfmot.quantizers.Quantizer):
    """Rounds a kernel as TFLite does: symmetric, a scale an output channel.

    tfmot's own has one scale for all of a depthwise kernel. The range is that
    of the kernel at hand, so there is none to keep.

    Args:
        axes: how many of the last axes number the channels: 1 of
            `(height, width, in, out)`, 2 of a depthwise kernel's
            `(height, width, in, multiplier)`.
    """

    def __init__(self, axes=1):
        self.axes = axes

    def build(self, tensor_shape, name, layer):
        return {}

    def __call__(self, inputs, training, weights, **kwargs):
        others = list(range(inputs.shape.rank - self.axes))
        limit = tf.reduce_max(tf.abs(inputs), axis=others, keepdims=True)
        step = tf.maximum(limit, _NARROWEST) / 127
        rounded = step * tf.round(inputs / step)
        # Nothing is cut off, so that the gradient passes as it is.
        return inputs + tf.stop_gradient(rounded - inputs)

    def get_config(self):
        return {"axes": self.axes}


@keras.utils.register_keras_serializable("deepgbass")
class OperatorConfig(_tfmot.QuantizeConfig):
    """What is rounded of one layer.

    Args:
        kernel: name of the layer's kernel, or None.
        output: (low, high) of the result, 0 among them, or None where the
            next layer is part of the same operator, or shares its scale.
    """

    def __init__(self, kernel=None, output=None):
        self.kernel = kernel
        self.output = output

    def get_weights_and_quantizers(self, layer):
        if self.kernel is None:
            return []
        axes = 2 if self.kernel == DEPTHWISE else 1
        return [(getattr(layer, self.kernel), KernelQuantizer(axes))]

    def set_quantize_weights(self, layer, quantize_weights):
        for weight in quantize_weights:
            setattr(layer, self.kernel, weight)

    def get_activations_and_quantizers(self, layer):
        return []

    def set_quantize_activations(self, layer, quantize_activations):
        pass

    def get_output_quantizers(self, layer):
        if self.output is None:
            return []
        low, high = self.output
        return [_tfmot.quantizers.FixedQuantizer(8, low, high, False)]

    def get_config(self):
        return {"kernel": self.kernel, "output": self.output}


def rounded_layers(network):
    """The layers whose results int8 rounds, by the scale that they share.

    Args:
        network: flat Functional network.

    Returns:
        list of lists of layers.
    """
    parent = {layer.name: layer.name for layer in network.layers}

    def root(name):
        while parent[name] != name:
            name = parent[name]
        return name

    for layer in network.layers:
        if isinstance(layer, _MOVERS):
            for source in _sources(layer):
                parent[root(source.name)] = root(layer.name)
    groups = collections.defaultdict(list)
    for layer in network.layers:
        if _is_rounded(layer):
            groups[root(layer.name)].append(layer)
    return list(groups.values())


def _is_rounded(layer):
    if isinstance(layer, Resize):
        return True
    if isinstance(layer, (_layers.InputLayer, *_MOVERS)):
        return False
    consumers = [node.outbound_layer for node in layer.outbound_nodes]
    if len(consumers) != 1:
        return True
    # The converter fuses what follows.
    fused = (_layers.ReLU, _layers.BatchNormalization)
    return not isinstance(consumers[0], fused)


def _sources(layer):
    (node,) = layer.inbound_nodes
    return [parent.layer for parent in node.parent_nodes]


def fixed_range(layer):
    """The range that a layer has in int8 by definition; None for others."""
    is_tanh = (
        isinstance(layer, _layers.Activation)
        and layer.activation is keras.activations.tanh
    )
    return _TANH if is_tanh else None


def kernel_name(layer):
    """What a convolution calls its kernel; None for other layers."""
    if isinstance(layer, _layers.DepthwiseConv2D):
        return DEPTHWISE
    return "kernel" if isinstance(layer, _layers.Conv2D) else None

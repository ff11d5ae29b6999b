"""The weights of a `.tflite` file under the names of a TF1 checkpoint."""

import collections

import numpy as np

from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.zoo import names
from deepgbass.zoo.tflite import Convolution, read_convolutions


def read_tflite(path, model: keras.Model) -> tuple[dict, tuple[str, ...]]:
    """Reads a file for a network: slim variables, and notes for the report.

    Where the network has a batch norm behind a convolution, it is set to add
    the file's bias and nothing else: mean 0, variance 1, gamma
    sqrt(1 + epsilon), beta = bias.

    Raises:
        UserError: the file cannot be read, or its convolutions tell neither
            by name nor by order which layers they are.
    """
    convolutions = read_convolutions(path)
    scopes, notes = [c.scope for c in convolutions], ()
    if None in scopes or len(set(scopes)) < len(scopes):
        scopes = match_by_order(path, convolutions, network_layers(model))
        notes = ("names tell no layers, so they were matched by order",)
    norms = {
        layer.name: layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    values = {}
    for scope, convolution in zip(scopes, convolutions, strict=True):
        kind = "depthwise_weights" if convolution.depthwise else "weights"
        values[f"{scope}/{kind}"] = convolution.kernel
        bias = convolution.bias
        norm = norms.get(f"{names.layer_name(scope)}_bn")
        if norm is None:
            values[f"{scope}/biases"] = bias
            continue
        values |= {
            f"{scope}/BatchNorm/gamma": np.full_like(
                bias, np.sqrt(1 + norm.epsilon)
            ),
            f"{scope}/BatchNorm/beta": bias,
            f"{scope}/BatchNorm/moving_mean": np.zeros_like(bias),
            f"{scope}/BatchNorm/moving_variance": np.ones_like(bias),
        }
    return values, notes


def network_layers(model: keras.Model) -> list[tuple]:
    """`(name, depthwise, kernel shape)` of every convolution of a network."""
    found = []
    for layer in model.layers:
        # Keras derives its DepthwiseConv2D from the base of Conv2D.
        if isinstance(
            layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
        ):
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            shape = tuple(layer.weights[0].shape)
            found.append((layer.name, depthwise, shape))
    return found


def match_by_order(
    path, convolutions: list[Convolution], layers: list[tuple]
) -> list[str]:
    """Layers of convolutions without telling names, by shape and order.

    Convolutions of equal shape are told apart by which needs the other's
    result; of two that do not depend on each other (branches), either might
    be either, which is an error.

    Args:
        path: of the file, for messages.
        convolutions: of the file.
        layers: of the network; see `network_layers`.

    Returns:
        The layer name of each convolution.

    Raises:
        UserError: the order does not tell.
    """
    ours, theirs = collections.defaultdict(list), collections.defaultdict(list)
    for name, depthwise, shape in layers:
        ours[depthwise, shape].append(name)
    for i, convolution in enumerate(convolutions):
        theirs[convolution.depthwise, convolution.kernel.shape].append(i)
    result = [""] * len(convolutions)
    for key, members in theirs.items():
        chain = all(
            before in convolutions[after].behind
            for before, after in zip(members, members[1:], strict=False)
        )
        if not chain or len(members) != len(ours[key]):
            raise UserError(
                f"{path}: the names in the file do not tell which layers its"
                f" convolutions are, e.g. {convolutions[members[0]].name!r},"
                " nor does their order in this network"
            )
        for i, name in zip(members, ours[key], strict=True):
            result[i] = name
    return result

"""Parts of a network by name: frozen, or trained at a rate of their own."""

from deepgbass.errors import UserError
from deepgbass.zoo.names import group


def layers_of(model, name, field):
    """The layers with weights that a word of the configuration means.

    Args:
        model: network of `build_model`.
        name: "backbone", "aspp", "decoder" or "logits", or the beginning of
            layers' names.
        field: of the configuration, named in the error.

    Raises:
        UserError: no layer with weights is called so.
    """
    layers = [layer for layer in model.layers if layer.weights]
    found = [layer for layer in layers if group(layer.name) == name] or [
        layer for layer in layers if name and layer.name.startswith(name)
    ]
    if not found:
        parts = dict.fromkeys(group(layer.name) for layer in layers)
        raise UserError(
            f"{field}: {name!r} is no part of this network; its parts are "
            f"{', '.join(parts)}, or give the beginning of layers' names, "
            f"such as {layers[0].name}"
        )
    return found


def freeze(model, names):
    """Makes parts untrainable; their batch norms keep their statistics too.

    Raises:
        UserError: an unknown part, or nothing is left to train.
    """
    for name in names:
        for layer in layers_of(model, name, "train.freeze"):
            layer.trainable = False
    if not model.trainable_variables:
        raise UserError(
            f"train.freeze: {','.join(names)} is the whole network; leave a "
            "part to train"
        )


def rate_factors(model, multipliers):
    """Factors of the learning rate.

    Args:
        model: network of `build_model`.
        multipliers: pairs of a part's name and a factor; the last that names
            a layer decides.

    Returns:
        Pairs of a trainable variable and its factor.

    Raises:
        UserError: an unknown part.
    """
    factors = {}
    for name, factor in multipliers:
        for layer in layers_of(model, name, "train.rate_multipliers"):
            factors[layer] = factor
    return [
        (variable, factor)
        for layer, factor in factors.items()
        for variable in layer.trainable_variables
    ]

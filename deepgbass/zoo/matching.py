"""Finds the place in a network of every variable of a file, or complains."""

import dataclasses

import numpy as np

from deepgbass.errors import UserError
from deepgbass.zoo import names

_LAST_LAYERS = ("logits", names.CLASSIFIER)


@dataclasses.dataclass(frozen=True)
class Match:
    """What to do with the variables of a file.

    Attributes:
        loaded: "layer/weight" -> array.
        skipped: `(name in the file, reason)`.
        renewed: layers to initialise anew: the last one, if the numbers of
            classes differ.
        notes: sentences for the report.
    """

    loaded: dict
    skipped: list
    renewed: set
    notes: list


def match(path, values: dict, shapes: dict, parts: str) -> Match:
    """Matches a file with a network, by name and shape.

    Args:
        path: of the file, for messages.
        values: slim name -> array, all weights of the file.
        shapes: "layer/weight" -> shape, all weights of the network.
        parts: "all", or "backbone" to skip the head.

    Raises:
        UserError: a variable of the file has no place in the network, a
            weight of the backbone is missing, or a value is NaN or infinite.
    """
    layers = {name.split("/")[0] for name in shapes}
    _check_backbone(path, values, layers)
    result = Match({}, [], set(), [])
    # Kernels first: their shapes say most when one does not fit.
    for name in sorted(values, key=lambda n: ("/BatchNorm/" in n, n)):
        target = names.model_name(name)
        layer = target.split("/")[0]
        reason = _skip_reason(name, layer, layers, parts)
        if reason:
            result.skipped.append((name, reason))
            continue
        value = np.asarray(values[name])
        if target not in shapes:
            raise UserError(
                f"{path}: {name} has no place in this network;"
                f" {_advice(layer, values)}"
            )
        ours, theirs = tuple(shapes[target]), value.shape
        other_classes = ours != theirs and ours[:-1] == theirs[:-1]
        if layer in _LAST_LAYERS and other_classes:
            result.skipped.append((name, "another number of classes"))
            result.renewed.add(layer)
            note = (
                f"the file has {theirs[-1]} classes, the network {ours[-1]}:"
                f" {layer} is initialised anew"
            )
            if note not in result.notes:
                result.notes.append(note)
            continue
        if ours != theirs:
            raise UserError(
                f"{path}: {name} is {theirs} in the file but {ours} in the"
                f" network; {_advice(layer, values)}"
            )
        if not np.isfinite(value).all():
            raise UserError(
                f"{path}: {name} holds NaN or infinity; fetch the file again"
            )
        if target in result.loaded:
            raise UserError(
                f"{path}: {name} and another variable would both be {target};"
                f" {_advice(layer, values)}"
            )
        result.loaded[target] = value
    _check_complete(path, result.loaded, values, shapes)
    return result


def _check_backbone(path, values, layers):
    """A file of another backbone is named as such, not by one variable."""
    scope = names.file_backbone(values)
    network = names.network_backbone(layers)
    if scope is None or names.BACKBONE_SCOPES[scope] == network:
        return
    ours = names.BACKBONE_SCOPES[scope]
    advice = f'build it with backbone="{ours}"' if ours else "none here has it"
    raise UserError(
        f"{path} holds the backbone {scope}, but the network's is"
        f" {network or 'unknown'}: {advice}"
    )


def _skip_reason(name, layer, layers, parts):
    if names.is_classifier(name):
        return None if layer in layers else "classifier; the network has none"
    if parts == "backbone" and names.group(layer) != "backbone":
        return 'head, left out by parts="backbone"'
    if layer.removesuffix("_bn") == "Conv_1" and layer not in layers:
        return "the network ends before this layer"
    return None


def _check_complete(path, loaded, values, shapes):
    lacking = [
        name
        for name in shapes
        if name not in loaded and names.group(name.split("/")[0]) == "backbone"
    ]
    if lacking:
        raise UserError(
            f"{path} lacks {len(lacking)} weights of the backbone, e.g."
            f" {lacking[0]}; {_advice(lacking[0], values)}"
        )


def _advice(layer, values):
    scopes = ", ".join(names.top_scopes(values)) or "none"
    if names.group(layer) == "backbone":
        return (
            f"the file's scopes are {scopes}: build the network with the"
            " backbone, depth_multiplier, width_divisor and last_layer of the"
            " file"
        )
    return (
        f"the file's scopes are {scopes}: build the network with the decoder"
        ' and widths of the file, or load parts="backbone"'
    )

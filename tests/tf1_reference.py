"""Weights of the TF1 reference networks, put into our models by name."""

import zlib

import numpy as np
import tensorflow as tf

SLOTS = {
    "weights": "kernel",
    "depthwise_weights": "depthwise_kernel",
    "biases": "bias",
}


def variable_shapes(listing):
    """Name -> shape from a fixture's `variables.txt`."""
    lines = (line.split("\t") for line in listing.read_text().splitlines())
    return {name: [int(n) for n in s.split("x")] for name, s, _ in lines}


def draw(name, shape):
    """The value of a variable by the rule in the fixtures' README.txt."""
    r = np.random.default_rng(zlib.crc32(name.encode()))
    kind = name.rsplit("/", 1)[-1]
    if kind == "moving_variance":
        return r.uniform(0.6, 1.4, shape)
    if kind == "gamma":
        return r.uniform(0.7, 1.2, shape)
    scale = {
        "moving_mean": 0.1,
        "biases": 0.1,
        "beta": 0.2,
        "depthwise_weights": np.prod(shape[:2]) ** -0.5,
        "weights": (2 / np.prod(shape[:3])) ** 0.5,
    }[kind]
    return scale * r.standard_normal(shape)


def reference_values(folder):
    """Name -> array of a fixture: its checkpoint's, or by its rule."""
    shapes = variable_shapes(folder / "variables.txt")
    if not (folder / "model.ckpt.index").exists():
        return {name: draw(name, shape) for name, shape in shapes.items()}
    checkpoint = tf.train.load_checkpoint(str(folder / "model.ckpt"))
    return {name: checkpoint.get_tensor(name) for name in shapes}


_DROPPED = (
    "MobilenetEdgeTPU",
    "MobilenetV2",
    "xception_65",
    "xception_module",
    "semantic",
)


def our_name(name):
    """ "MobilenetEdgeTPU/Conv/BatchNorm/beta" -> "Conv_bn/beta:0"."""
    *scopes, kind = name.replace("decoder/decoder_", "decoder_").split("/")
    scopes = [s for s in scopes if s not in _DROPPED]
    scopes = ["bn" if s == "BatchNorm" else s for s in scopes]
    return f"{'_'.join(scopes)}/{SLOTS.get(kind, kind)}:0"


def assign(model, values, arguments):
    """Sets every variable of a model from TF1 names and arrays.

    Fails unless the two sets of names agree exactly.
    """
    variables = {v.name: v for v in model.variables}
    values = {our_name(name): value for name, value in values.items()}
    assert sorted(variables) == sorted(values)
    aspp_channels = arguments.get("aspp_channels", 256)
    # The pooled branch is added to aspp0: see layers/aspp.py.
    kernel = np.array(values["concat_projection/kernel:0"])
    kernel[:, :, aspp_channels : 2 * aspp_channels] -= kernel[
        :, :, :aspp_channels
    ]
    values["concat_projection/kernel:0"] = kernel
    for name, variable in variables.items():
        variable.assign(values[name])

"""Checkpoints of the TF1 reference networks."""

import zlib

import numpy as np
import tensorflow as tf


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


def reference_checkpoint(folder, scratch):
    """The prefix of a fixture's checkpoint, made in `scratch` by its rule."""
    if (folder / "model.ckpt.index").exists():
        return folder / "model.ckpt"
    shapes = variable_shapes(folder / "variables.txt")
    values = {
        name: draw(name, shape).astype("float32")
        for name, shape in shapes.items()
    }
    return write_checkpoint(scratch / folder.name, values)


def write_checkpoint(prefix, values):
    """A checkpoint as TF1 writes it: names and tensors, no objects."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(values)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(values[name]) for name in names],
    )
    return prefix

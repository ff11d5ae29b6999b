"""Training with less memory: activations are computed again, not kept.

A Functional network is cut into segments of consecutive layers. Only what
passes from one segment to a later one is kept for the gradient, which
computes the rest again, a segment at a time (Chen et al. 2016).
"""

import itertools
import math

import tensorflow as tf

from deepgbass.keras_api import keras

# Activations of the largest segment, as shares of the network's: the best of
# these is taken.
_SHARES = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)


class RecomputedNetwork:
    """Calls a network in training mode, keeping few activations.

    Gradients are those of the network itself. Layers are called twice, and
    must give the same result: compute output and gradient with one seed for
    dropout (`DropoutSeed.of`), and hold moving statistics while computing the
    gradient (`MovingStatistics.held`).

    Args:
        model: Functional network of one input and one output, every layer of
            which is called once, as `build_model` gives it.
    """

    def __init__(self, model):
        self._input, self._output = model.input, model.output
        nodes = [node for layer in model.layers for node in layer.inbound_nodes]
        nodes = [node for node in nodes if not node.is_input]
        needed = [_needed_after(nodes, i, model) for i in range(len(nodes))]
        cuts = _cuts(nodes, needed)
        self._segments = [
            (nodes[start:end], needed[end - 1])
            for start, end in itertools.pairwise(cuts)
        ]
        self._training = _Training()

    def __call__(self, images):
        """Returns the output; to be called within a gradient tape."""
        values = {str(id(self._input)): tf.cast(images, self._input.dtype)}
        for nodes, kept in self._segments:
            values = self._run(nodes, kept, values)
        return values[str(id(self._output))]

    def _run(self, nodes, kept, values):
        used = {name for node in nodes for name in node.flat_input_ids}
        inputs = {k: v for k, v in values.items() if k in used}
        made = [name for name in kept if name not in values]

        @tf.recompute_grad
        def segment(*tensors):
            start = dict(zip(inputs, tensors, strict=True))

            def call(start):
                results = _call(nodes, start)
                return [results[name] for name in made]

            return self._training(start, call, training=True)

        results = segment(*inputs.values())
        results = dict(zip(made, results, strict=True))
        return {k: v for k, v in (values | results).items() if k in kept}


class _Training(keras.layers.Layer):
    """Calls a function whose layers are then in training mode."""

    def __init__(self):
        super().__init__(dtype="float32", autocast=False)

    def call(self, inputs, function, training=None):
        return function(inputs)


def _call(nodes, values):
    values = dict(values)
    for node in nodes:
        # Keras takes one copy for every use.
        copies = {}
        for name in node.flat_input_ids:
            copies.setdefault(name, []).append(values[name])
        args, kwargs = node.map_arguments(copies)
        results = tf.nest.flatten(node.layer(*args, **kwargs))
        values |= zip(node.flat_output_ids, results, strict=True)
    return values


def _needed_after(nodes, last, model):
    """Tensors that layers after the `last` take from it or before."""
    made = {str(id(model.input))}
    for node in nodes[: last + 1]:
        made.update(node.flat_output_ids)
    used = {str(id(model.output))}
    for node in nodes[last + 1 :]:
        used.update(node.flat_input_ids)
    return made & used


def _cuts(nodes, needed):
    """Where to cut, so that kept and recomputed activations are fewest.

    Returns:
        Numbers of nodes, from 0 to all: the ends of the segments.
    """
    sizes = {}
    for node in nodes:
        for tensor in tf.nest.flatten(node.outputs):
            numbers = math.prod(tensor.shape[1:])
            sizes[str(id(tensor))] = numbers * tensor.dtype.size
    work = [sum(sizes[name] for name in n.flat_output_ids) for n in nodes]
    kept = [sum(sizes.get(name, 0) for name in names) for names in needed]
    candidates = (_cheapest(work, kept, s * sum(work)) for s in _SHARES)
    return min(candidates)[1]


def _cheapest(work, kept, limit):
    """The cuts that keep least, with segments of `limit` activations."""
    best = [(0, (0,))]
    for end in range(1, len(work) + 1):
        options, size = [], 0
        for start in range(end - 1, -1, -1):
            size += work[start]
            if size > limit and options:
                break
            cost, cuts = best[start]
            options.append((cost + kept[end - 1], (*cuts, end)))
        best.append(min(options))
    cost, cuts = best[-1]
    return cost + limit, cuts

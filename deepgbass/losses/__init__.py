"""Semantic boundary-aware learning: the training losses (eqs. 1-3, Fig. 4).

All are plain callables `loss(labels, logits)` over TensorFlow, so they serve
as the `loss=` of a tf_keras or Keras 3 model as well as in a training loop.

Shared conventions: labels are integers (or floats that hold integers)
`(batch, height, width)` or `(batch, height, width, 1)`; logits are floats
`(batch, h, w, num_classes)` of the same or a lower resolution and are resized
to the labels inside (bilinear, half-pixel centres). All is computed in
float32. Ignored pixels change neither value nor gradient (but for the
`ignore_mode`s of GSCNN, where they make edges); if all are ignored the loss
is 0. NaN or infinity among the logits makes the loss NaN, at ignored
pixels too. A label that is neither a class nor ignored is an error that names
it and its place (see `Scene`). Sizes that are unknown while a graph is traced
are not checked.

Every term is a sum over the batch divided by another, its count: of pixels,
of mask, of weights. A part of a batch, on one of several devices or one of
several micro-batches, gives with `reduce` its share of the whole batch's
loss: `counts` of all parts, added up, take the place of its own. Shares, and
their gradients, add up to those of the whole batch.

XLA compiles the boundary maths, on all devices: seconds at the first call,
and again for every new size of batch or image. Train on crops of one size,
and drop the remainder of the last batch.
"""

from deepgbass.losses.cross_entropy import IgnoreCrossentropy
from deepgbass.losses.sbal import SBALoss
from deepgbass.losses.terms import (
    BoundaryWeightedCrossentropy,
    SemanticBoundaryLoss,
)

__all__ = [
    "BoundaryWeightedCrossentropy",
    "IgnoreCrossentropy",
    "SBALoss",
    "SemanticBoundaryLoss",
]

"""Batch norm in training: frozen, across replicas, in micro-batches."""

import contextlib
import functools
import threading

from deepgbass.keras_api import keras

# In training the image-pooling branch sees one value of a channel an image:
# the standard error of a variance from n values is sqrt(2 / (n - 1)) of it,
# 0.8 from four, 1.4 from two.
FEWEST_IMAGES = 4


def batch_norms(model):
    """The batch norm layers of a network."""
    return [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def freeze_batch_norm(model):
    """Uses moving statistics in training too; gamma and beta stay."""
    for norm in batch_norms(model):
        norm.trainable = False


def synchronize_batch_norm(model):
    """Takes batch statistics over all replicas (SyncBN).

    The moving variance is then that of the batch itself, as Keras has it,
    where its fused layer on one device corrects by n / (n - 1) (n: values of
    a channel): 4 / 3 in the image-pooling branch for a batch of 4, nothing to
    speak of elsewhere. Training does not see moving statistics.
    """
    for norm in batch_norms(model):
        # Keras knows no fused form, and would leave it unsynchronised.
        norm.fused = False
        norm.synchronized = True


@contextlib.contextmanager
def averaging_over(model, micro_batches):
    """Moving statistics decay in so many updates as else in one."""
    momenta = [(norm, norm.momentum) for norm in batch_norms(model)]
    for norm, momentum in momenta:
        norm.momentum = momentum ** (1 / micro_batches)
    try:
        yield
    finally:
        for norm, momentum in momenta:
            norm.momentum = momentum


class MovingStatistics:
    """Holds the moving statistics of a network still, where asked to.

    Args:
        model: Functional network, whose batch norms are changed.
    """

    def __init__(self, model):
        # The replicas of a MirroredStrategy are threads.
        self._thread = threading.local()
        for norm in batch_norms(model):
            norm.add_update = functools.partial(self._update, norm.add_update)

    @contextlib.contextmanager
    def held(self):
        """Batch norm takes a batch's statistics and learns nothing of them.

        For calls of the network in this thread and context.
        """
        self._thread.is_held = True
        try:
            yield
        finally:
            self._thread.is_held = False

    def _update(self, add_update, updates):
        if not getattr(self._thread, "is_held", False):
            add_update(updates)


def batch_norm_warning(config, replicas):
    """What to say of batches too small for batch norm.

    Args:
        config: `TrainConfig`.
        replicas: devices that train together; they share their statistics.

    Returns:
        One line, or None if there are images enough.
    """
    images = config.batch_size // config.accumulate
    if config.freeze_batch_norm or images >= FEWEST_IMAGES:
        return None
    devices = f" on {replicas} devices together" if replicas > 1 else ""
    return (
        f"batch norm sees {images} image{'s' * (images > 1)} at a time"
        f"{devices}, fewer than {FEWEST_IMAGES}: its statistics will be "
        "rough; take a larger train.batch_size or a smaller train.accumulate, "
        "or start from trained weights with train.freeze_batch_norm=true"
    )

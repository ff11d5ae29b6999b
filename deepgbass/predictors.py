"""Predictors: an image of any size in, a label map of its size out.

A network has one input size. Smaller images are padded at the bottom and
right, larger ones reduced; a network trained on images of one longer side
gets them so. All is undone on the logits, before the argmax, or on the labels
of an exported model that ends with them.
"""

import pathlib

import numpy as np
import tensorflow as tf

from deepgbass.configs import load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.experiment import restore_model
from deepgbass.layers.resize import resize_bilinear
from deepgbass.letterbox import letterbox
from deepgbass.ondevice.isolation import open_model
from deepgbass.ondevice.postprocess import enlarge_labels


@tf.function(reduce_retracing=True)
def logits_to_label(logits, size, content, native, align_corners=False):
    """Undoes `letterbox` on logits and takes the best class of each pixel.

    Args:
        logits: float `(1, h, w, num_classes)`, at any lower resolution.
        size: (height, width) of the network's input.
        content: (height, width) of the image's part of it.
        native: (height, width) of the image as it came.
        align_corners: how the network's own resizes sample; see `Resize`.

    Returns:
        int32 `native`.
    """
    logits = resize_bilinear(logits, size, align_corners)
    logits = logits[:, : content[0], : content[1]]
    if tf.reduce_any(content != native):
        logits = tf.image.resize(logits, native)
    return tf.argmax(logits, axis=-1, output_type=tf.int32)[0]


class Predictor:
    """Maps a uint8 image `(height, width, 3)` to int32 labels of its size.

    A call raises UserError where the network gives NaN or infinity, which
    would look like a label.

    Attributes:
        info: `DatasetInfo` of the classes that it predicts.
        size: (height, width) of the network's input in pixels.
        longer_side: of `letterbox`.
        align_corners: of `logits_to_label`.
    """

    def __init__(self, info, size, longer_side=None, align_corners=False):
        self.info = info
        self.size = tuple(int(n) for n in size)
        self.longer_side = longer_side
        self.align_corners = align_corners

    def __call__(self, image):
        padded, content = letterbox(image, self.size, self.longer_side)
        return self.label(padded, content, image.shape[:2])

    def label(self, image, content, native):
        """Labels of an image that `letterbox` has made the input's size.

        Args:
            image: uint8 `(*size, 3)`.
            content: (height, width) of the image's part of it.
            native: (height, width) of the result.
        """
        logits = self.logits(image)
        if not tf.reduce_all(tf.math.is_finite(logits)):
            raise UserError(
                "the network's output is not finite: it diverged in training;"
                " go back to an earlier checkpoint"
            )
        shapes = (self.size, content, native)
        label = logits_to_label(
            logits, *(tf.constant(s) for s in shapes), self.align_corners
        )
        return label.numpy()

    def logits(self, image):
        """float32 `(1, h, w, num_classes)` for a uint8 `(*size, 3)` image."""
        raise NotImplementedError


class KerasPredictor(Predictor):
    """Predicts with a Keras network of static input size."""

    def __init__(self, model, info, longer_side=None, align_corners=False):
        size = model.input_shape[1:3]
        super().__init__(info, size, longer_side, align_corners)
        self._call = tf.function(lambda x: model(x, training=False))

    def logits(self, image):
        return self._call(tf.cast(image[None], tf.float32))


def configured(model, info, config):
    """The `KerasPredictor` of an `ExperimentConfig`'s network."""
    return KerasPredictor(
        model, info, config.data.resize_longer_side, config.model.align_corners
    )


class TFLitePredictor(Predictor):
    """Predicts with a `.tflite` file that describes itself.

    Args:
        path: of `NAME.tflite`, which the export wrote.
        **options: of `open_model`. By default, a model that is compiled for
            the Edge TPU runs there.

    Attributes:
        output: what the model gives: one of `choices.OUTPUTS`.

    Raises:
        UserError: the file is no such model, does not run here, or is not as
            its description says.
    """

    def __init__(self, path, **options):
        self._model = open_model(path, **options)
        described = self._model.description
        super().__init__(
            described.dataset,
            described.size,
            described.longer_side,
            described.align_corners,
        )
        self.output = self._model.output

    def label(self, image, content, native):
        if self.output == "logits":
            return super().label(image, content, native)
        shapes = (self.size, content, native)
        label = enlarge_labels(self._model(image), *shapes, self.align_corners)
        return label.astype(np.int32, copy=False)

    def logits(self, image):
        if self.output != "logits":
            raise UserError(
                f"this model gives {self.output}, not logits; export it with "
                "--output=logits"
            )
        logits = self._model(image)[None]
        return tf.constant(dequantize(logits, self._model.output_details))


def dequantize(integers, details):
    """The real values that a TFLite tensor's integers stand for."""
    scale, zero_point = details["quantization"]
    if scale == 0.0:
        return integers.astype(np.float32)
    return (integers.astype(np.float32) - zero_point) * np.float32(scale)


def load_predictor(path):
    """The predictor of a work directory or a `.tflite` file.

    Args:
        path: str or Path: a folder that train.py made, whose newest checkpoint
            counts, or a model that export_tflite.py wrote. A model compiled
            for an Edge TPU needs `deepgbass.ondevice`.

    Returns:
        `Predictor`: called with an image, uint8 `(height, width, 3)` of any
        size, it gives the class ids int32 `(height, width)`; its `info` names
        and colours them.

    Raises:
        UserError: `path` is neither, or holds no trained network.
    """
    path = pathlib.Path(path)
    if path.suffix == ".tflite" and path.is_file():
        return TFLitePredictor(path)
    if path.is_dir():
        model, _ = restore_model(path)
        return configured(model, DatasetInfo.load(path), load_config(path))
    raise UserError(f"{path} is neither a .tflite file nor a work directory")

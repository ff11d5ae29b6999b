"""Predictors: an image of any size in, a label map of its size out.

A network has one input size. Smaller images are padded at the bottom and
right, larger ones reduced; a network trained on images of one longer side
gets them so. All is undone on the logits, before the argmax.
"""

import json
import pathlib

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from deepgbass.configs import load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.experiment import restore_model
from deepgbass.layers.resize import resize_bilinear

# The grey that the network's input scaling turns into 0 (127.5), as a byte.
PADDING = 128


def letterbox(image, size, longer_side=None):
    """Fits an image into a network's input without changing its aspect.

    Args:
        image: uint8 array `(height, width, 3)`.
        size: (height, width) of the network's input in pixels.
        longer_side: None to keep the size of images that fit, or pixels that
            the longer side of every image gets where `size` has room: the
            rule of `DataConfig.resize_longer_side`.

    Returns:
        (uint8 array `(*size, 3)`, (height, width) of the image's part of it,
        at the top left).
    """
    height, width = image.shape[:2]
    wanted = 1.0 if longer_side is None else longer_side / max(height, width)
    scale = min(wanted, size[0] / height, size[1] / width)
    content = (
        min(max(round(height * scale), 1), size[0]),
        min(max(round(width * scale), 1), size[1]),
    )
    if content != (height, width):
        resized = Image.fromarray(image).resize(
            content[::-1], Image.Resampling.BILINEAR
        )
        image = np.asarray(resized)
    padded = np.full((*size, 3), PADDING, np.uint8)
    padded[: content[0], : content[1]] = image
    return padded, content


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
        logits = self.logits(padded)
        if not tf.reduce_all(tf.math.is_finite(logits)):
            raise UserError(
                "the network's output is not finite: it diverged in training;"
                " go back to an earlier checkpoint"
            )
        shapes = (self.size, content, image.shape[:2])
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
    """Predicts with a `.tflite` file and the description beside it.

    Args:
        path: of `NAME.tflite`; `NAME.json`, which the export wrote, lies
            beside it and gives the classes.

    Raises:
        UserError: either file is missing or not what it should be, or they
            do not belong together.
    """

    def __init__(self, path, num_threads=2):
        path = pathlib.Path(path)
        sidecar = path.with_suffix(".json")
        info, options = _read_description(path, sidecar)
        try:
            self._interpreter = Interpreter(str(path), num_threads=num_threads)
            self._interpreter.allocate_tensors()
            (self._input,) = self._interpreter.get_input_details()
            (self._output,) = self._interpreter.get_output_details()
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"{path} is not a TFLite model that runs here: {reason}"
            ) from None
        # The signature, unlike the shape, says where a size is not fixed.
        shape = self._input["shape_signature"].tolist()
        if shape[:1] + shape[3:] != [1, 3] or min(shape) < 1:
            raise UserError(
                f"{path} has the input {shape}, want one RGB image of fixed "
                "size, [1, height, width, 3]; export the model again"
            )
        output = self._output["shape"].tolist()
        if len(output) != 4 or output[-1] != info.num_classes:
            raise UserError(
                f"{path} has the output {output}, but {sidecar.name} names "
                f"{info.num_classes} classes; export both together again"
            )
        super().__init__(info, shape[1:3], **options)

    def logits(self, image):
        self._interpreter.set_tensor(
            self._input["index"], quantize(image[None], self._input)
        )
        self._interpreter.invoke()
        output = self._interpreter.get_tensor(self._output["index"])
        return tf.constant(dequantize(output, self._output))


def _read_description(path, sidecar):
    """The classes of an exported network, and options of `Predictor`."""
    try:
        description = json.loads(sidecar.read_text(encoding="utf-8"))
        if not isinstance(description, dict) or "dataset" not in description:
            raise UserError("no key 'dataset'")
        info = DatasetInfo.from_json(json.dumps(description["dataset"]))
        config = description.get("config", {})
        return info, {
            "longer_side": config.get("data", {}).get("resize_longer_side"),
            "align_corners": config.get("model", {}).get(
                "align_corners", False
            ),
        }
    except FileNotFoundError:
        raise UserError(
            f"{path} has no {sidecar.name} beside it, which names its "
            "classes; export_tflite.py writes both"
        ) from None
    except OSError as error:
        reason = error.strerror
        raise UserError(f"{sidecar} cannot be read: {reason}") from None
    except (ValueError, AttributeError) as error:
        raise UserError(
            f"{sidecar} is not the description of a deepgbass model: "
            f"{error}; export the model again"
        ) from None


def quantize(values, details):
    """Real values as the integers that a TFLite tensor holds for them."""
    scale, zero_point = details["quantization"]
    if scale == 0.0:
        return values.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    integers = np.rint(values / scale) + zero_point
    return np.clip(integers, limits.min, limits.max).astype(details["dtype"])


def dequantize(integers, details):
    """The real values that a TFLite tensor's integers stand for."""
    scale, zero_point = details["quantization"]
    if scale == 0.0:
        return integers.astype(np.float32)
    return (integers.astype(np.float32) - zero_point) * np.float32(scale)


def load_predictor(path):
    """The predictor of a work directory or a `.tflite` file.

    Raises:
        UserError: `path` is neither, or holds no trained network.
    """
    path = pathlib.Path(path)
    if path.suffix == ".tflite" and path.is_file():
        return TFLitePredictor(path)
    if path.is_dir():
        model, _ = restore_model(path)
        return configured(model, DatasetInfo.load(path), load_config(path))
    raise UserError(
        f"--model={path} is neither a .tflite file nor a work directory"
    )

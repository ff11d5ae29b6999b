"""An image of any size in, a label map of its size out, without TensorFlow."""

from deepgbass.letterbox import letterbox
from deepgbass.ondevice.isolation import open_model
from deepgbass.ondevice.postprocess import bilinear_labels, enlarge_labels


class OnDevicePredictor:
    """Maps a uint8 image `(height, width, 3)` to uint8 labels of its size.

    Args:
        model: `OnDeviceModel`.

    Attributes:
        model: as given.
        info: `DatasetInfo` of the classes that it predicts.
    """

    def __init__(self, model):
        self.model = model
        self.info = model.description.dataset

    def __call__(self, image):
        """The labels of an image.

        Raises:
            UserError: the device failed, or the output is not finite.
        """
        described = self.model.description
        padded, content = letterbox(
            image, described.size, described.longer_side
        )
        output = self.model(padded)
        labels = to_labels(self.model, output, content, image.shape[:2])
        return labels.astype("uint8", copy=False)


def to_labels(model, output, content, native):
    """The label map of an image, from what a model gave for it.

    Args:
        model: `OnDeviceModel`.
        output: of it: logits, which are interpolated, or labels.
        content: (height, width) of the image's part of the input.
        native: (height, width) of the image.

    Returns:
        Integers `native`.

    Raises:
        UserError: the output is not finite.
    """
    described = model.description
    enlarge = bilinear_labels if model.output == "logits" else enlarge_labels
    shapes = described.size, content, native
    return enlarge(output, *shapes, described.align_corners)


def open_predictor(path, *, device="", library=None, threads=2):
    """The predictor of a `.tflite` file; arguments as of `open_model`."""
    model = open_model(path, device=device, library=library, threads=threads)
    return OnDevicePredictor(model)

"""One or two models on the same image: labels, times, agreement."""

import base64
import io
import threading
import time
import zlib

import numpy as np
from PIL import Image

from deepgbass.demo.upload import read_image
from deepgbass.errors import UserError
from deepgbass.letterbox import letterbox
from deepgbass.ondevice.predictor import to_labels
from deepgbass.reports.visualize import shrink

PHASES = ("pre-processing", "inference", "post-processing")
# Pixels of the longer side at which the page shows images.
SHOWN = 1600


class Demo:
    """Segments images with one or two models, one image at a time.

    An interpreter is not safe in several threads, and times of two that run
    at once would say nothing: there is one lock for all.

    Args:
        models: list of `OnDeviceModel`; each runs once, since a first run
            takes longer than others.

    Attributes:
        models: as given.
    """

    def __init__(self, models):
        self.models = models
        self._lock = threading.Lock()
        for model in models:
            run(model, np.full((*model.size, 3), 128, np.uint8))

    def segment(self, content):
        """What the page shows of an image.

        Args:
            content: bytes of an image file.

        Returns:
            dict for JSON: `width`, `height`, `preview` (a JPEG as a data
            URL), `agreement` (share of pixels, or None) and `models`: for
            each one `milliseconds` (phase -> float), `labels` (the class ids
            row by row, a byte each, deflated) and `png` (the same as a grey
            PNG), both in base64.

        Raises:
            Refused: it is not an image, or too large.
            UserError: a model fails.
        """
        # Images of several requests must not fill the memory either.
        with self._lock:
            image = read_image(content)
            found = [run(model, image) for model in self.models]
        labels = [one for one, _ in found]
        # As browsers show it, whatever the file's format.
        preview = _encoded(shrink(image, SHOWN), "JPEG", quality=92)
        return {
            "width": image.shape[1],
            "height": image.shape[0],
            "preview": f"data:image/jpeg;base64,{preview}",
            "agreement": agreement(self.models, labels),
            "models": [
                {
                    "milliseconds": {
                        phase: 1e3 * value for phase, value in seconds.items()
                    },
                    "labels": _base64(zlib.compress(one.tobytes(), 1)),
                    "png": _encoded(one, "PNG"),
                }
                for one, seconds in found
            ],
        }

    def close(self, patience=10.0):
        """Waits, but not for ever, until no model runs; none will any more.

        Args:
            patience: seconds.
        """
        self._lock.acquire(timeout=patience)


def run(model, image):
    """Segments an image, stage by stage.

    Args:
        model: `OnDeviceModel`.
        image: uint8 `(height, width, 3)`.

    Returns:
        (uint8 labels `(height, width)`, dict of each of `PHASES` to seconds).

    Raises:
        UserError: the device failed, or the output is not finite or no class.
    """
    described = model.description
    began = time.perf_counter()
    padded, content = letterbox(image, described.size, described.longer_side)
    model.set_input(padded)
    filled = time.perf_counter()
    model.invoke()
    output = model.get_output()
    done = time.perf_counter()
    labels = to_labels(model, output, content, image.shape[:2])
    ended = time.perf_counter()
    classes = described.dataset.num_classes
    if not 0 <= labels.min() <= labels.max() < classes:
        raise UserError(
            f"{model.path} gives class ids from {labels.min()} to "
            f"{labels.max()}, but its description has {classes} classes; "
            "export the model again"
        )
    times = filled - began, done - filled, ended - done
    return labels.astype(np.uint8), dict(zip(PHASES, times, strict=True))


def agreement(models, labels):
    """The share of pixels to which two models give the same class.

    Args:
        models: list of `OnDeviceModel`.
        labels: for each, integers `(height, width)`.

    Returns:
        0..1; None unless there are two of the same classes.
    """
    names = {model.description.dataset.class_names for model in models}
    if len(models) != 2 or len(names) != 1:
        return None
    return float(np.mean(labels[0] == labels[1]))


def _encoded(picture, form, **options):
    """A picture's file, in base64."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, form, **options)
    return _base64(file.getvalue())


def _base64(content):
    return base64.b64encode(content).decode("ascii")

"""Pictures of the same few images, as networks come to see them."""

import dataclasses
import functools
import pathlib

import numpy as np

from deepgbass.letterbox import fit_label, letterbox
from deepgbass.reports.boundary_pictures import boundary_errors
from deepgbass.reports.loss_maps import heat, loss_maps
from deepgbass.reports.visualize import colorize, overlay

IMAGES = 4


@dataclasses.dataclass(frozen=True)
class View:
    """An image and what one network made of it.

    Attributes:
        name: of the image's file, without folder and ending, or its number
            in the split.
        image: uint8 `(height, width, 3)`.
        label: int32 `(height, width)`, the truth.
        prediction: int32 `(height, width)`.
        weights: None, or uint8 `(h, w, 3)`: w of eq. 2 at the size of the
            network's input, without Gumbel noise; brightest where a boundary
            was missed altogether.
    """

    name: str
    image: np.ndarray
    label: np.ndarray
    prediction: np.ndarray
    weights: np.ndarray | None = None

    def reference(self, colors):
        """The image and its truth as pictures, by title."""
        return {"input": self.image, "truth": colorize(self.label, colors)}

    def outcome(self, colors, over_image=False):
        """Prediction, boundary errors and weights as pictures, by title.

        Args:
            colors: `(classes, 3)` RGB, 0..255.
            over_image: blend the prediction over the image.
        """
        image, prediction = self.image, self.prediction
        if over_image:
            pictures = {"overlay": overlay(image, prediction, colors)}
        else:
            pictures = {"prediction": colorize(prediction, colors)}
        pictures["boundary errors"] = self._errors
        if self.weights is not None:
            pictures["w: weight in SBL-WCE"] = self.weights
        return pictures

    @functools.cached_property
    def _errors(self):
        return boundary_errors(self.label, self.prediction, self.image)


class Gallery:
    """A few images of a split, evenly spread over it, kept in memory.

    Args:
        dataset: `SegmentationDataset`.
        loss: the training loss. If it weights pixels by their boundaries
            (SBAL), the views show the weights.
    """

    def __init__(self, dataset, loss=None):
        spread = np.linspace(0, len(dataset) - 1, IMAGES).astype(int)
        indices = np.unique(spread)
        self._examples = [
            example
            | {"name": pathlib.PurePath(example["filename"]).stem or str(index)}
            for index, example in zip(
                indices, dataset.examples(indices), strict=True
            )
        ]
        self._loss = None
        if getattr(loss, "wce_weight", 0):
            self._loss = dataclasses.replace(loss, noise=False)

    def views(self, predictor):
        """What a `Predictor` makes of the images: a list of `View`."""
        return [
            View(
                example["name"],
                example["image"],
                example["label"],
                predictor(example["image"]),
                self._loss and self._weights(predictor, example),
            )
            for example in self._examples
        ]

    def _weights(self, predictor, example):
        padded, content = letterbox(
            example["image"], predictor.size, predictor.longer_side
        )
        label = fit_label(example["label"], predictor.size, content)
        logits = predictor.logits(padded)[0]
        weights = loss_maps(self._loss, label, logits)["weights"]
        seen = weights[: content[0], : content[1]]
        is_constant = self._loss.normalization == "constant"
        unit = 0.18 / self._loss.normalizer if is_constant else 1.0
        # w of a straight boundary that was missed altogether.
        return heat(seen, peak=0.5 * unit)

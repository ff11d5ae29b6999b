"""A data set whose images can be told apart by their gray."""

import numpy as np
from image_files import encode

from deepgbass.data import pipeline, tfrecord
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.record import Example

COUNT = 10
INFO = DatasetInfo("ten", ("a", "b"), ignore_label=11, splits={"train": COUNT})
KINDS = ("JPEG", "PNG", "BMP")


def write_gray_set(path):
    """Ten images of different sizes and formats; image i has the gray 20 i."""
    rng = np.random.default_rng(0)
    examples = []
    for i in range(COUNT):
        size = (40 + i, 50 + 2 * i)
        image = np.full((*size, 3), 20 * i, np.uint8)
        label = rng.choice(np.uint8([0, 1, 11]), size)
        kind = KINDS[i % 3]
        examples.append(Example(f"{i}", encode(image, kind), encode(label)))
    tfrecord.write_split(examples, path, "train", 3)
    INFO.save(path)
    return path


def write_one(path, image, label, kind="PNG", **info):
    """A data set of one image; returns its opened split."""
    example = Example("one", encode(image, kind), encode(label))
    tfrecord.write_split([example], path, "train", 1)
    DatasetInfo("one", **{"class_names": ("a", "b", "c")} | info).save(path)
    return pipeline.load_dataset(path, "train")


def seen(batches):
    """Which images of the gray set some batches show, in order."""
    return [
        round(float(image[0, 0, 0]) / 20)
        for images, _ in batches
        for image in images
    ]


def assert_equal(first, second):
    """Holds two lists of batches against each other, bit by bit."""
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        for part in (0, 1):
            np.testing.assert_array_equal(one[part], other[part])

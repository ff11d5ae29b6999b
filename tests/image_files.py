"""Small encoded images for the tests of the data."""

import io
import json

import numpy as np
import tensorflow as tf
from PIL import Image

from deepgbass.data import tfrecord
from deepgbass.data.conversion import convert
from deepgbass.data.folder import open_folder
from deepgbass.data.record import Example, deserialize_example


def encode(array, kind="PNG", **options):
    """An array, or a Pillow image, as the bytes of a file."""
    buffer = io.BytesIO()
    if isinstance(array, np.ndarray):
        array = Image.fromarray(array)
    array.save(buffer, kind, **options)
    return buffer.getvalue()


def decode(encoded):
    """What Pillow reads from the bytes of a file."""
    return np.asarray(Image.open(io.BytesIO(encoded)))


def random_image(rng, height=12, width=16):
    """Noise, uint8 `(height, width, 3)`."""
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def random_label(rng, height=12, width=16, ids=3):
    """Noise of class ids, uint8 `(height, width)`."""
    return rng.integers(0, ids, (height, width), np.uint8)


def write_folder(root, names, classes=("a", "b", "c"), seed=0):
    """A folder in the layout of `open_folder`; names without suffix."""
    rng = np.random.default_rng(seed)
    for name in names:
        image = root / "images" / f"{name}.jpg"
        label = root / "labels" / f"{name}.png"
        for path in (image, label):
            path.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(encode(random_image(rng), "JPEG"))
        label.write_bytes(encode(random_label(rng)))
    (root / "classes.json").write_text(json.dumps(classes))
    return root


def folder_bytes(path):
    """The bytes of every file below a folder by its relative name."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def stored(data_dir, split):
    """The examples in the records of a split."""
    paths = tfrecord.list_shards(data_dir, split)
    payloads = tf.data.TFRecordDataset(paths).as_numpy_iterator()
    return [deserialize_example(payload) for payload in payloads]


def convert_folder(source, data_dir, **options):
    """Converts a folder as `write_folder` makes it; returns `DatasetInfo`."""
    return convert(open_folder(source), data_dir, **options)


def random_examples(count, seed=0):
    """`Example`s of different sizes, their names not ASCII."""
    rng = np.random.default_rng(seed)
    return [
        Example(
            f"ein bild {i}é.jpg",
            encode(random_image(rng, 12 + i, 16), "JPEG"),
            encode(random_label(rng, 12 + i, 16)),
        )
        for i in range(count)
    ]

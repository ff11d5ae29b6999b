"""Converts a data set of TensorFlow Datasets to TFRecords.

python datasets/convert_tfds.py --source=tfds:NAME --data_dir=DIR

It has to be prepared already, or --download says that TFDS may fetch it
(docs/datasets.md).
"""

from absl import flags

from deepgbass.commands import convert

_TFDS_DIR = flags.DEFINE_string(
    "tfds_dir",
    None,
    "Folder of TFDS. Default: $TFDS_DATA_DIR, then ~/tensorflow_datasets.",
)
_IMAGE_KEY = flags.DEFINE_string(
    "image_key", None, "Feature of the image. Default: the only one."
)
_LABEL_KEY = flags.DEFINE_string(
    "label_key", None, "Feature of the label. Default: the only one."
)
_CLASS_NAMES = flags.DEFINE_list(
    "class_names", [], "Names in the order of their ids, if TFDS has none."
)
_LABEL_OFFSET = flags.DEFINE_integer(
    "label_offset", 0, "Stored id of the first class."
)
_IGNORE = flags.DEFINE_multi_integer(
    "ignore", [], "Stored id that counts nowhere."
)
_DOWNLOAD = flags.DEFINE_bool(
    "download", False, "Let TFDS fetch and prepare what is not there."
)


def open_source(name):
    from deepgbass.data.tfds import open_tfds

    return open_tfds(
        name.removeprefix("tfds:"),
        _TFDS_DIR.value,
        image_key=_IMAGE_KEY.value,
        label_key=_LABEL_KEY.value,
        class_names=_CLASS_NAMES.value,
        label_offset=_LABEL_OFFSET.value,
        ignore=_IGNORE.value,
        download=_DOWNLOAD.value,
    )


if __name__ == "__main__":
    convert.run(open_source)

"""The ids by which the label files of a data set name its classes."""

import numpy as np

from deepgbass.data.cityscapes_ids import CITYSCAPES, FROM_LABEL_IDS

# Class names -> new id of every original one. `tfds.KNOWN` has the same, but
# needs TensorFlow.
_NEW_IDS = {
    CITYSCAPES.class_names: FROM_LABEL_IDS,
    ("pet", "background", "border"): {1: 0, 2: 1, 3: 2},
}


def original_ids(info):
    """The original id of every class, for label maps that others read.

    The records of Cityscapes hold train ids, its server wants label ids. Most
    data sets are stored with their own ids, ADE20K-32 among them.

    Args:
        info: `DatasetInfo`.

    Returns:
        uint8 `(num_classes,)`.
    """
    ids = np.arange(info.num_classes, dtype=np.uint8)
    for original, new in _NEW_IDS.get(info.class_names, {}).items():
        if new < len(ids):
            ids[new] = original
    return ids

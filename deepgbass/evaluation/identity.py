"""What tells an evaluation from others, and where two differ."""

import hashlib

import numpy as np

# What the settings of two evaluations that can be compared have in common.
SHARED = ("data", "measured_by")


def data_identity(dataset):
    """What tells a `SegmentationDataset` from others, wherever it lies.

    Returns:
        dict for JSON: the description's name, classes, ignored id and
        protocol, the split, its number of images, and a digest of where the
        records lie and, if known, of what they hold.
    """
    info = dataset.info
    digest = hashlib.sha256()
    for array in (dataset.sizes, *dataset.records):
        digest.update(np.asarray(array, np.int64).tobytes())
    for shard in info.shards.get(dataset.split, ()):
        digest.update(shard.sha256.encode())
    return {
        "dataset": info.name,
        "classes": list(info.class_names),
        "ignore_label": info.ignore_label,
        "protocol": info.protocol,
        "split": dataset.split,
        "images": len(dataset),
        "records": digest.hexdigest(),
    }


def differences(found, wanted):
    """Where two identities differ: as "data.split ('val', 'train')".

    Args:
        found, wanted: dicts of name -> value or dict of such.
    """
    words = []
    for name in sorted({*found, *wanted}):
        old, new = found.get(name), wanted.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            words += [f"{name}.{word}" for word in differences(old, new)]
        elif max(len(str(old)), len(str(new))) > 20:
            words.append(name)
        else:
            words.append(f"{name} ({old!r}, {new!r})")
    return words

"""CamVid in the 11 classes and the 360x480 split of SegNet.

Brostow, Fauqueur, Cipolla: Semantic object classes in video (2009);
Badrinarayanan, Kendall, Cipolla: SegNet (2017). Labels are stored as they
are; their id 11, void, is ignored.
"""

import pathlib

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.folder import find_splits, pair_splits
from deepgbass.data.source import Source

CAMVID = DatasetInfo(
    name="camvid",
    class_names=(
        "sky",
        "building",
        "pole",
        "road",
        "pavement",
        "tree",
        "sign",
        "fence",
        "car",
        "pedestrian",
        "bicyclist",
    ),
    colors=(
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (60, 40, 222),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    ),
    ignore_label=11,
)


def open_camvid(path) -> Source:
    """Finds the images and labels of CamVid.

    Args:
        path: Directory in SegNet's layout (`train/`, `trainannot/`, `val/`,
            `valannot/`, ...) or in that of `folder` (`images/train/`,
            `labels/train/`, ...).

    Raises:
        UserError: The layout is wrong.
    """
    path = pathlib.Path(path)
    folders = {
        labels.name.removesuffix("annot"): (
            path / labels.name.removesuffix("annot"),
            labels,
        )
        for labels in sorted(path.glob("*annot"))
    }
    return Source(CAMVID, pair_splits(folders or find_splits(path)))

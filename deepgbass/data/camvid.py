"""CamVid in the 11 classes and the 360x480 split of SegNet.

Brostow, Fauqueur, Cipolla: Semantic object classes in video (2009);
Badrinarayanan, Kendall, Cipolla: SegNet (2017). Labels are stored as they
are; their id 11, void, is ignored.
"""

import pathlib

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.folder import convert_splits, find_splits

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


def convert_camvid(
    source, data_dir, *, num_shards: int = 4, overwrite: bool = False
) -> DatasetInfo:
    """Converts CamVid to TFRecords.

    Args:
        source: Directory in SegNet's layout (`train/`, `trainannot/`,
            `val/`, `valannot/`, ...) or in that of `folder.convert_folder`
            (`images/train/`, `labels/train/`, ...).
        data_dir: Directory for the records.
        num_shards: Files a split.
        overwrite: Whether another data set in `data_dir` may be replaced.

    Returns:
        The description that was written.

    Raises:
        UserError: A file is missing or wrong, or `data_dir` holds another
            data set.
    """
    source = pathlib.Path(source)
    folders = {
        path.name.removesuffix("annot"): (
            source / path.name.removesuffix("annot"),
            path,
        )
        for path in sorted(source.glob("*annot"))
    }
    return convert_splits(
        folders or find_splits(source),
        CAMVID,
        data_dir,
        num_shards=num_shards,
        overwrite=overwrite,
    )

"""The label ids of Cityscapes and the 19 classes that are scored.

Cordts et al.: The Cityscapes dataset for semantic urban scene understanding
(2016). Annotations name 35 kinds of things. `labelIds` images store the ids
0..33, `labelTrainIds` images the classes 0..18 and 255 for all else.
"""

from typing import NamedTuple

from deepgbass.data.dataset_info import IGNORE_LABEL, DatasetInfo


class Label(NamedTuple):
    """One kind of thing; `train_id` None is never trained or scored.

    License plates have the id -1: they are not drawn.
    """

    id: int
    name: str
    train_id: int | None = None
    color: tuple[int, int, int] | None = None


LABELS = (
    Label(-1, "license plate"),
    Label(0, "unlabeled"),
    Label(1, "ego vehicle"),
    Label(2, "rectification border"),
    Label(3, "out of roi"),
    Label(4, "static"),
    Label(5, "dynamic"),
    Label(6, "ground"),
    Label(7, "road", 0, (128, 64, 128)),
    Label(8, "sidewalk", 1, (244, 35, 232)),
    Label(9, "parking"),
    Label(10, "rail track"),
    Label(11, "building", 2, (70, 70, 70)),
    Label(12, "wall", 3, (102, 102, 156)),
    Label(13, "fence", 4, (190, 153, 153)),
    Label(14, "guard rail"),
    Label(15, "bridge"),
    Label(16, "tunnel"),
    Label(17, "pole", 5, (153, 153, 153)),
    Label(18, "polegroup"),
    Label(19, "traffic light", 6, (250, 170, 30)),
    Label(20, "traffic sign", 7, (220, 220, 0)),
    Label(21, "vegetation", 8, (107, 142, 35)),
    Label(22, "terrain", 9, (152, 251, 152)),
    Label(23, "sky", 10, (70, 130, 180)),
    Label(24, "person", 11, (220, 20, 60)),
    Label(25, "rider", 12, (255, 0, 0)),
    Label(26, "car", 13, (0, 0, 142)),
    Label(27, "truck", 14, (0, 0, 70)),
    Label(28, "bus", 15, (0, 60, 100)),
    Label(29, "caravan"),
    Label(30, "trailer"),
    Label(31, "train", 16, (0, 80, 100)),
    Label(32, "motorcycle", 17, (0, 0, 230)),
    Label(33, "bicycle", 18, (119, 11, 32)),
)

# New id of every id that a label image may hold, by the kind of image.
FROM_LABEL_IDS = {
    label.id: IGNORE_LABEL if label.train_id is None else label.train_id
    for label in LABELS
    if label.id >= 0
}
FROM_TRAIN_IDS = {i: i for i in FROM_LABEL_IDS.values()}

_CLASSES = tuple(label for label in LABELS if label.train_id is not None)

CITYSCAPES = DatasetInfo(
    name="cityscapes",
    class_names=tuple(label.name for label in _CLASSES),
    colors=tuple(label.color for label in _CLASSES),
    ignore_label=IGNORE_LABEL,
)

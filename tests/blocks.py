"""A data set of random label maps in memory, and a predictor's answers."""

import dataclasses

import numpy as np
from label_pairs import random_pair

from deepgbass.data.dataset_info import DatasetInfo

PAIRS = [random_pair((24 + seed, 31), seed=seed) for seed in range(9)]
INFO = DatasetInfo("blocks", ("sky", "road", "car", "tree", "bus"))


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Its images hold their index, for `predict` to look up."""

    info: DatasetInfo = INFO
    split: str = "val"

    def __len__(self):
        return len(PAIRS)

    def examples(self, indices):
        for index in indices:
            yield {
                "image": np.full((1, 1, 3), index, np.uint8),
                "label": PAIRS[index][0],
                "filename": f"block{index}.png",
            }


def predict(image):
    return PAIRS[image[0, 0, 0]][1]

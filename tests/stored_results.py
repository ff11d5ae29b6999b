"""A stored evaluation of a network that there is not."""

import json

from label_pairs import random_pair

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.evaluation.evaluator import make_metrics
from deepgbass.evaluation.store import open_store

INFO = DatasetInfo("blocks", ("sky", "road", "car", "tree", "bus"), (), 3)
COUNT = 6


def write_results(folder, name, shift=0, count=COUNT, split="val", **metrics):
    """Results of a network that predicts another image's truth, or its own."""
    identity = {"model": {"file": name}, "data": {"split": split}}
    store = open_store(folder, name, identity, INFO)
    measures = make_metrics(INFO)
    for index in range(count):
        label, _ = random_pair((24, 31), seed=index)
        found, _ = random_pair((24, 31), seed=index + 100 * shift)
        found[found == 255] = 0
        parts = [metric.measure(label, found) for metric in measures]
        store.put(index, f"{index}.png", parts)
    text = json.dumps({"images": count} | metrics)
    (folder / "metrics.json").write_text(text)
    return folder

"""Stored images come back as they were, and belong to one evaluation."""

import dataclasses
import json

import numpy as np
import pytest
from label_pairs import random_pair
from tiny import write_tiny

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.pipeline import load_dataset
from deepgbass.errors import UserError
from deepgbass.evaluation.evaluator import add_image, make_metrics
from deepgbass.evaluation.identity import data_identity, differences
from deepgbass.evaluation.store import EvaluationStore, open_store

INFO = DatasetInfo("blocks", ("sky", "road", "car", "tree", "bus"))
IDENTITY = {"model": {"file": "12"}, "data": {"split": "val"}}
PAIRS = [random_pair((24, 31), seed=seed) for seed in range(3)]


def parts_of(pair):
    return [metric.measure(*pair) for metric in make_metrics(INFO)]


def results(images):
    metrics = make_metrics(INFO)
    for parts in images:
        add_image(metrics, parts)
    return [metric.result() for metric in metrics]


def assert_same(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_equal(
            [dataclasses.asdict(x) for x in _flat(one)],
            [dataclasses.asdict(x) for x in _flat(other)],
        )


def _flat(result):
    return result if isinstance(result, tuple) else (result,)


def test_metrics_add_up_to_the_same(tmp_path):
    store = open_store(tmp_path, "net", IDENTITY, INFO)
    for index, pair in enumerate(PAIRS):
        store.put(index, f"{index}.png", parts_of(pair), ["ids/a.png"])
    again = EvaluationStore(tmp_path)
    assert (again.name, again.info, len(again)) == ("net", INFO, 3)
    assert again.saved(1) == ["ids/a.png"] and again.saved(7) == []
    names, images = zip(*again.read([2, 0, 1]), strict=True)
    assert names == ("2.png", "0.png", "1.png")
    expected = [parts_of(PAIRS[index]) for index in (2, 0, 1)]
    assert_same(results(images), results(expected))


def test_a_torn_line_is_measured_again(tmp_path):
    store = open_store(tmp_path, "net", IDENTITY, INFO)
    for index, pair in enumerate(PAIRS):
        store.put(index, "", parts_of(pair))
    path = tmp_path / "images.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    # Another evaluation may be writing that line: a reader leaves it.
    assert len(EvaluationStore(tmp_path)) == 2
    assert path.read_bytes() == whole[:-5]
    store = open_store(tmp_path, "net", IDENTITY, INFO)
    assert len(store) == 2 and 2 not in store
    store.put(2, "", parts_of(PAIRS[2]))
    assert path.read_bytes() == whole


def test_of_two_lines_of_an_image_the_last_counts(tmp_path):
    store = open_store(tmp_path, "net", IDENTITY, INFO)
    store.put(0, "", parts_of(PAIRS[0]))
    store.put(0, "", parts_of(PAIRS[1]), ["ids/0.png"])
    for one in (store, EvaluationStore(tmp_path)):
        assert len(one) == 1 and one.saved(0) == ["ids/0.png"]
        ((_, parts),) = one.read([0])
        assert_same(results([parts]), results([parts_of(PAIRS[1])]))


def test_another_evaluation_is_refused_and_named(tmp_path):
    store = open_store(tmp_path, "net", IDENTITY, INFO)
    store.put(0, "", parts_of(PAIRS[0]))
    other = {"model": {"file": "34"}, "data": {"split": "val"}}
    with pytest.raises(UserError, match=r"model.file \('12', '34'\)") as error:
        open_store(tmp_path, "net", other, INFO)
    assert "--overwrite" in str(error.value) and "\n" not in str(error.value)
    assert len(EvaluationStore(tmp_path)) == 1
    assert len(open_store(tmp_path, "net", other, INFO, overwrite=True)) == 0


def test_overwriting_continues_the_same_and_clears_another(tmp_path):
    kept = tmp_path / "ids" / "0.png"
    kept.parent.mkdir()
    kept.touch()
    store = open_store(tmp_path, "net", IDENTITY, INFO)
    store.put(0, "", parts_of(PAIRS[0]), ["ids/0.png"])
    again = open_store(tmp_path, "net", IDENTITY, INFO, overwrite=True)
    assert len(again) == 1 and kept.exists()
    other = {"model": {"file": "34"}, "data": {"split": "val"}}
    assert len(open_store(tmp_path, "net", other, INFO, overwrite=True)) == 0
    assert not kept.exists()


@pytest.mark.parametrize("name", ["metrics.json", "config.json"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_files_of_something_else_stay(tmp_path, name, overwrite):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=f"{name} of something else"):
        open_store(tmp_path, "net", IDENTITY, INFO, overwrite)
    assert (tmp_path / name).read_text() == "mine"


def test_damage_is_named(tmp_path):
    store = open_store(tmp_path, "net", IDENTITY, INFO)
    with pytest.raises(UserError, match="holds no evaluation"):
        EvaluationStore(tmp_path / "none")
    store.put(0, "", parts_of(PAIRS[0]))
    path = tmp_path / "images.jsonl"
    path.write_bytes(b"{}\n" + path.read_bytes())
    with pytest.raises(UserError, match="images.jsonl: line 1 is damaged"):
        EvaluationStore(tmp_path)
    settings = tmp_path / "evaluation.json"
    settings.write_text(settings.read_text()[:-9])
    with pytest.raises(UserError, match="evaluation.json is damaged"):
        EvaluationStore(tmp_path)
    settings.write_text(json.dumps({"format": "deepgbass-evaluation/0"}))
    with pytest.raises(UserError, match="of the format deepgbass-evaluation/0"):
        EvaluationStore(tmp_path)


def test_data_are_told_apart_wherever_they_lie(tmp_path):
    folders = [tmp_path / name for name in ("one", "other", "more")]
    for folder, count in zip(folders, (2, 2, 3), strict=True):
        write_tiny(folder, val=count)
    one, other, more = (
        data_identity(load_dataset(folder, "val")) for folder in folders
    )
    assert one == other
    assert "images (2, 3)" in differences(one, more)
    assert "records" in differences(one, more)

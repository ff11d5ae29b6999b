import json

import pytest

from deepgbass.data.dataset_info import DatasetInfo, default_colors
from deepgbass.data.manifest import Shard, Statistics
from deepgbass.errors import UserError


def test_survives_the_file(tmp_path):
    info = DatasetInfo(
        "set", ("sky", "car"), ((1, 2, 3), (4, 5, 6)), 11, {"train": 3}
    )
    info.save(tmp_path)
    assert DatasetInfo.load(tmp_path) == info
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]


def test_what_was_counted_survives_the_file(tmp_path):
    statistics = Statistics((1, 2), (3, 4), (1, 4), (5, 6), 7)
    shards = (Shard("train-00000-of-00001.tfrecord", 3, 99, "ab"),)
    info = DatasetInfo(
        "set",
        ("sky", "car"),
        protocol="coarse",
        statistics={"train": statistics},
        shards={"train": shards},
    )
    info.save(tmp_path)
    found = DatasetInfo.load(tmp_path)
    assert found.protocol == "coarse"
    assert found.statistics == {"train": statistics}
    assert found.shards == {"train": shards}


def test_equal_sets_may_be_cut_otherwise_but_not_read_otherwise():
    shards = {"train": (Shard("a", 3, 99, "ab"),)}
    assert DatasetInfo("set", ("a",), shards=shards) == DatasetInfo(
        "set", ("a",)
    )
    assert DatasetInfo("set", ("a",), protocol="p") != DatasetInfo(
        "set", ("a",)
    )


def test_description_of_the_first_version_is_read(tmp_path):
    text = (
        '{"name": "s", "class_names": ["a", "b"], "colors": [[0, 0, 0], '
        '[1, 2, 3]], "ignore_label": 11, "splits": {"train": 3}}'
    )
    (tmp_path / "dataset.json").write_text(text)
    assert DatasetInfo.load(tmp_path) == DatasetInfo(
        "s", ("a", "b"), ((0, 0, 0), (1, 2, 3)), 11, {"train": 3}
    )


def test_records_without_a_description_get_one_as_advised(tmp_path):
    # As TF DeepLab names them.
    for name in ("train_fine", "val"):
        (tmp_path / f"{name}-00000-of-00010.tfrecord").touch()
    with pytest.raises(UserError, match="TFRecords of train_fine, val; w") as e:
        DatasetInfo.load(tmp_path)
    advice = str(e.value).partition("such as ")[2]
    (tmp_path / "dataset.json").write_text(advice)
    assert DatasetInfo.load(tmp_path).class_names == ("road", "car")


def test_default_colors_are_those_of_pascal_voc_and_distinct():
    colors = default_colors(255)
    # From the colour bar of the VOC development kit.
    assert colors[:4] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    assert colors[8] == (64, 0, 0) and colors[15] == (192, 128, 128)
    assert len(set(colors)) == 255
    assert DatasetInfo("set", ("a", "b")).colors == colors[:2]


def test_missing_file_names_path(tmp_path):
    with pytest.raises(UserError, match="dataset.json: not found"):
        DatasetInfo.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"name": "a"}', "no key 'class_names'"),
        ('{"name": "a", "class_names": ["a"], "ignore_lable": 1}', "ignore_la"),
        ('{"name": "a", "class_names": 3}', "wrong type"),
        ('{"name": "a", "class_names": "abc"}', "not a string"),
        ('{"name": "a", "class_names": ["a"], "protocol": 3}', "a string"),
        ('{"name": "a", "class_names": ["a"], "shards": [3]}', "wrong type"),
        (
            '{"name": "a", "class_names": ["a"], "shards": {"t": [{"a": 1}]}}',
            "wrong type",
        ),
        (
            '{"name": "a", "class_names": ["a"], "statistics": {"t": {}}}',
            "wrong type",
        ),
    ],
)
def test_malformed_file_names_path_and_fault(tmp_path, text, message):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(UserError, match=f"dataset.json: .*{message}"):
        DatasetInfo.load(tmp_path)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"class_names": []}, "1 to 255"),
        ({"class_names": ["a", "b", "a"]}, "a appears twice"),
        ({"ignore_label": 256}, "0..255"),
        ({"ignore_label": True}, "0..255"),
        ({"colors": [[0, 0, 0]]}, "1 colours for 2 classes"),
        ({"colors": [[0, 0, 0], [0, 0, 300]]}, "300.* of b"),
        ({"splits": {"train": "many"}}, "splits"),
    ],
)
def test_value_out_of_range_is_refused(values, message):
    values = {"name": "set", "class_names": ["a", "b"]} | values
    with pytest.raises(UserError, match=message):
        DatasetInfo.from_json(json.dumps(values))

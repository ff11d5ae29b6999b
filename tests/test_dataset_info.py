import json

import pytest

from deepgbass.data.dataset_info import DatasetInfo, default_colors
from deepgbass.errors import UserError


def test_survives_the_file(tmp_path):
    info = DatasetInfo(
        "set", ("sky", "car"), ((1, 2, 3), (4, 5, 6)), 11, {"train": 3}
    )
    info.save(tmp_path)
    assert DatasetInfo.load(tmp_path) == info
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]


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

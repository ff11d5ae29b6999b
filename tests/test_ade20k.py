import csv
import os
import pathlib
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from image_files import decode, encode, random_image

from deepgbass.data.ade20k import PROTOCOLS, describe, open_ade20k
from deepgbass.data.conversion import convert
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.pipeline import load_dataset
from deepgbass.errors import UserError


def write_pair(root, split, name, ids):
    """An image and an annotation in SceneParsing's layout."""
    image = root / "images" / split / f"{name}.jpg"
    label = root / "annotations" / split / f"{name}.png"
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    height, width = ids.shape[:2]
    noise = random_image(np.random.default_rng(0), height, width)
    image.write_bytes(encode(noise, "JPEG"))
    label.write_bytes(encode(ids.astype(np.uint8)))
    return image, label


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "ADEChallengeData2016"
    ids = np.arange(151).reshape(1, 151)
    write_pair(path, "training", "ADE_train_00000002", ids)
    write_pair(path, "training", "ADE_train_00000001", ids)
    write_pair(path, "validation", "ADE_val_00000001", ids)
    return path


def message(path, **options):
    with pytest.raises(UserError) as caught:
        open_ade20k(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def by_rule(ids, protocol):
    """Stored ids and the ignored one, from the protocols' definitions."""
    if protocol == "paper":
        return np.where(ids <= 31, ids, 0), 255
    if protocol == "mlperf":
        return np.where(ids >= 32, 0, ids), 0
    stored = np.where(ids > 31, 0, ids)
    return np.where(stored == 0, 255, stored), 255


@pytest.mark.parametrize("protocol", ["paper", "mlperf", "garden"])
def test_every_id_follows_the_protocol(root, protocol):
    source = open_ade20k(root, protocol=protocol)
    expected, ignored = by_rule(np.arange(151), protocol)
    assert source.info.protocol == protocol
    assert source.info.ignore_label == ignored
    assert source.info.num_classes == 32
    assert [item.name for item in source.splits["train"]] == [
        "ADE_train_00000001",
        "ADE_train_00000002",
    ]
    for item in (*source.splits["train"], *source.splits["val"]):
        example = pickle.loads(pickle.dumps(item)).read()
        np.testing.assert_array_equal(decode(example.label)[0], expected)
        assert example.image == item.files[0].read_bytes()


@pytest.mark.parametrize("protocol", ["paper", "mlperf", "garden"])
def test_samples_convert_with_the_expected_histograms(
    shared, tmp_path, protocol
):
    path = shared / "data/ade20k_sample"
    info = convert(open_ade20k(path, protocol=protocol), tmp_path)
    examples = list(load_dataset(tmp_path, "val").examples())
    assert [example["filename"] for example in examples] == [
        f"ADE_val_0000000{i}" for i in (1, 2, 3)
    ]
    total = np.zeros(256, int)
    for example in examples:
        png = path / "annotations/validation" / f"{example['filename']}.png"
        raw = np.bincount(decode(png.read_bytes()).ravel(), minlength=256)
        stored, ignored = by_rule(np.arange(256), protocol)
        expected = np.zeros(256, int)
        np.add.at(expected, np.where(stored == ignored, 255, stored), raw)
        got = np.bincount(example["label"].ravel(), minlength=256)
        np.testing.assert_array_equal(got, expected)
        rest = raw[0] + raw[32:].sum()
        assert got[0 if protocol == "paper" else 255] == rest > 0
        total += expected
    assert info.statistics["val"].pixels == tuple(total[:32].tolist())
    assert info.statistics["val"].ignored == total[255]
    assert DatasetInfo.load(tmp_path).protocol == protocol


def test_protocols_are_told_apart():
    infos = {p: describe(p) for p in PROTOCOLS}
    assert set(infos) == {"paper", "mlperf", "garden"}
    assert len({(i.protocol, i.ignore_label) for i in infos.values()}) == 3
    assert len({i.class_names for i in infos.values()}) == 1


def test_class_list_is_that_of_sceneparsing(shared):
    path = shared / "data/ade20k_sample/objectInfo150.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    ratios = [float(row["Ratio"]) for row in rows]
    assert ratios == sorted(ratios, reverse=True)
    names = [row["Name"].split(";")[0] for row in rows[:31]]
    assert describe("paper").class_names == ("other", *names)


def test_classes_have_distinct_names_and_colors():
    info = describe("paper")
    assert len(set(info.class_names)) == len(set(info.colors)) == 32
    assert info.colors[1] == (120, 120, 120)


def test_class_list_is_in_the_package():
    assert "data/*.csv" in (ROOT / "setup.py").read_text()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_script_takes_every_protocol(protocol):
    script = (ROOT / "datasets/convert_ade20k.py").read_text()
    assert f'"{protocol}"' in script


@pytest.mark.slow
def test_script_stores_the_protocol(root, tmp_path):
    output = tmp_path / "out"
    arguments = [f"--source={root}", f"--data_dir={output}"]
    subprocess.run(
        [sys.executable, "datasets/convert_ade20k.py", "--protocol=garden"]
        + arguments,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert DatasetInfo.load(output).protocol == "garden"


def test_unknown_protocol_is_named(root):
    text = message(root, protocol="papers")
    assert text == "protocol: 'papers' is none of paper, mlperf, garden"


def test_full_release_is_refused(tmp_path):
    for root in ("ADE20K_2016_07_26/images/training/a/abbey", "new/images/ADE"):
        folder = tmp_path / root
        folder.mkdir(parents=True)
        seg = folder / "ADE_train_00000970_seg.png"
        seg.write_bytes(encode(np.zeros((4, 4, 3), np.uint8)))
        text = message(tmp_path / pathlib.Path(root).parts[0])
        assert f"{seg}: is of the full ADE20K release" in text
        assert "ADEChallengeData2016" in text


def test_full_release_in_the_folders_of_sceneparsing_is_refused(root):
    write_pair(root, "training", "ADE_train_00000003_seg", np.zeros((4, 4, 3)))
    assert "is of the full ADE20K release" in message(root)
    shutil.rmtree(root / "images/training")
    (root / "images/training/abbey").mkdir(parents=True)
    assert "abbey: is a folder by scene; want SceneParsing" in message(root)


@pytest.mark.parametrize(
    "ids, expected",
    [
        (np.zeros((4, 4, 3)), "holds colours, not one channel of label ids"),
        (np.array([[0, 151, 200]]), "holds the ids 151, 200,"),
    ],
)
def test_other_labels_are_refused(tmp_path, ids, expected):
    _, label = write_pair(tmp_path, "validation", "ADE_val_00000001", ids)
    (item,) = open_ade20k(tmp_path).splits["val"]
    with pytest.raises(UserError) as caught:
        item.read()
    assert f"{label}: {expected}" in str(caught.value)
    assert "want SceneParsing" in str(caught.value)


def test_files_without_partner_are_named(root):
    label = root / "annotations/training/ADE_train_00000001.png"
    label.unlink()
    assert f"ADE_train_00000001.jpg has no annotation {label}" in message(root)
    shutil.copy(root / "annotations/training/ADE_train_00000002.png", label)
    image = root / "images/training/ADE_train_00000001.jpg"
    image.unlink()
    assert f"ADE_train_00000001.png has no image {image}" in message(root)


def test_wrong_folders_are_put_right(root, tmp_path):
    text = message(root / "images")
    assert "is images/ itself" in text and text.endswith(str(root))
    assert message(tmp_path).endswith(f"is one folder too high; give {root}")
    assert "no such directory" in message(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "has no images/; want SceneParsing" in message(tmp_path / "empty")


def test_missing_and_empty_splits_are_named(root):
    shutil.rmtree(root / "annotations/validation")
    text = message(root)
    assert f"{root / 'annotations/validation'}: no such directory" in text
    shutil.rmtree(root / "images/validation")
    assert set(open_ade20k(root).splits) == {"train"}
    for folder in ("images", "annotations"):
        shutil.rmtree(root / folder / "training")
    assert "neither training/ nor validation/" in message(root)
    for folder in ("images", "annotations"):
        (root / folder / "training").mkdir()
    assert "holds no images" in message(root)

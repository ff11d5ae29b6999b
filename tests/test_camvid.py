import runpy

import numpy as np
import pytest
from conftest import ROOT
from image_files import decode, encode, stored

from deepgbass.data.camvid import CAMVID, open_camvid
from deepgbass.data.conversion import convert
from deepgbass.data.dataset_info import IGNORE_LABEL, DatasetInfo
from deepgbass.data.manifest import Statistics
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.verify import verify_split
from deepgbass.errors import UserError


@pytest.fixture(scope="module")
def data_dir(shared, tmp_path_factory):
    path = tmp_path_factory.mktemp("camvid")
    convert(open_camvid(shared / "data/camvid"), path)
    return path


def test_splits_have_the_published_sizes(data_dir):
    assert len(load_dataset(data_dir, "train")) == 367
    assert len(load_dataset(data_dir, "val")) == 101


def test_images_and_labels_survive_bit_exactly(shared, data_dir):
    source = shared / "data/camvid"
    for split in ("train", "val"):
        names = []
        for name, image, label in stored(data_dir, split):
            names.append(name)
            png = name.replace(".jpg", ".png")
            assert image == (source / "images" / split / name).read_bytes()
            assert label == (source / "labels" / split / png).read_bytes()
        assert names == sorted(
            path.name for path in (source / "images" / split).iterdir()
        )


def test_pixels_are_counted_as_in_the_files(shared, data_dir):
    report = verify_split(load_dataset(data_dir, "val"))
    labels = (shared / "data/camvid/labels/val").iterdir()
    counts = sum(
        np.bincount(decode(path.read_bytes()).ravel(), minlength=12)
        for path in labels
    )
    assert report.images == 101
    assert report.pixels == tuple(counts[:11].tolist())
    assert report.ignored == counts[11]
    statistics = DatasetInfo.load(data_dir).statistics["val"]
    assert statistics == Statistics(
        (360, 480), (360, 480), (360, 480), report.pixels, report.ignored
    )
    # Road, then building, fill most of the frames; sign and pole the least.
    names = np.array(CAMVID.class_names)[np.argsort(report.pixels)]
    assert {"road", "building"} == set(names[-2:])


def test_void_is_ignored(shared, data_dir):
    example = next(load_dataset(data_dir, "val").examples())
    name = example["filename"].replace(".jpg", ".png")
    path = shared / "data/camvid/labels/val" / name
    label = decode(path.read_bytes()).astype(np.int32)
    assert example["image"].shape == (360, 480, 3)
    assert 11 in label
    np.testing.assert_array_equal(
        example["label"], np.where(label == 11, IGNORE_LABEL, label)
    )


def test_layout_of_segnet_is_read(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for name, array in (
            (split, rng.integers(0, 256, (6, 8, 3), np.uint8)),
            (f"{split}annot", rng.integers(0, 12, (6, 8), np.uint8)),
        ):
            path = tmp_path / "CamVid" / name / "0001TP.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(encode(array))
    info = convert(open_camvid(tmp_path / "CamVid"), tmp_path / "data")
    assert info.splits == {"test": 1, "train": 1, "val": 1}
    assert info.class_names == CAMVID.class_names
    verify_split(load_dataset(tmp_path / "data", "test"))


def test_classes_have_distinct_names_and_colors():
    assert CAMVID.num_classes == 11 == len(set(CAMVID.colors))
    assert CAMVID.ignore_label == 11


def test_other_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="images: no such directory"):
        convert(open_camvid(tmp_path), tmp_path / "data")


def test_script_opens_camvid(tmp_path):
    script = runpy.run_path(str(ROOT / "datasets/convert_camvid.py"))
    with pytest.raises(UserError, match=f"{tmp_path}/images: no such dir"):
        script["open_source"](tmp_path)

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from image_files import decode, encode

from deepgbass.data import tfrecord
from deepgbass.data.camvid import CAMVID, convert_camvid
from deepgbass.data.dataset_info import IGNORE_LABEL
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.verify import verify_split
from deepgbass.errors import UserError


@pytest.fixture(scope="module")
def data_dir(shared, tmp_path_factory):
    path = tmp_path_factory.mktemp("camvid")
    convert_camvid(shared / "data/camvid", path)
    return path


def test_splits_have_the_published_sizes(data_dir):
    assert len(load_dataset(data_dir, "train")) == 367
    assert len(load_dataset(data_dir, "val")) == 101


def test_images_and_labels_survive_bit_exactly(shared, data_dir):
    source = shared / "data/camvid"
    for split in ("train", "val"):
        paths = tfrecord.list_shards(data_dir, split)
        names = []
        for payload in tf.data.TFRecordDataset(paths).as_numpy_iterator():
            name, image, label = tfrecord.deserialize_example(payload)
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
    info = convert_camvid(tmp_path / "CamVid", tmp_path / "data")
    assert info.splits == {"test": 1, "train": 1, "val": 1}
    assert info.class_names == CAMVID.class_names
    verify_split(load_dataset(tmp_path / "data", "test"))


def test_classes_have_distinct_names_and_colors():
    assert CAMVID.num_classes == 11 == len(set(CAMVID.colors))
    assert CAMVID.ignore_label == 11


def test_other_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="images: no such directory"):
        convert_camvid(tmp_path, tmp_path / "data")


def test_script_reports_an_error_in_one_line(tmp_path):
    root = pathlib.Path(__file__).parents[1]
    done = subprocess.run(
        [
            sys.executable,
            "datasets/convert_camvid.py",
            f"--source={tmp_path}",
            f"--data_dir={tmp_path / 'data'}",
        ],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("error:")]
    assert f"{tmp_path}/images: no such directory" in line

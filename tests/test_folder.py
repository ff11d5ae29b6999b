import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from image_files import (
    convert_folder,
    decode,
    encode,
    random_image,
    stored,
    write_folder,
)
from PIL import Image

from deepgbass.data import folder
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.verify import verify_split
from deepgbass.errors import UserError


def state(data_dir):
    """Names and times of all files: equal if nothing was written."""
    return {p.name: p.stat().st_mtime_ns for p in data_dir.iterdir()}


def assert_nothing_written(data_dir):
    assert not data_dir.exists() or not list(data_dir.iterdir())


def assert_no_data_set(data_dir):
    assert [path.name for path in data_dir.iterdir()] == [".converting"]
    with pytest.raises(UserError, match="data: a conversion did not finish"):
        load_dataset(data_dir, "train")


def test_splits_round_trip_bit_exactly(tmp_path):
    names = ["train/b", "train/a é", "train/street/c", "val/a"]
    source = write_folder(tmp_path / "my set", names)
    info = convert_folder(source, tmp_path / "data")
    assert info == DatasetInfo.load(tmp_path / "data")
    assert info.name == "my set" and info.splits == {"train": 3, "val": 1}
    found = {s: stored(tmp_path / "data", s) for s in info.splits}
    assert [e.filename for e in found["train"]] == [
        "a é.jpg",
        "b.jpg",
        "street/c.jpg",
    ]
    for split, examples in found.items():
        for example in examples:
            image = source / "images" / split / example.filename
            label = source / "labels" / split / example.filename
            assert example.image == image.read_bytes()
            assert example.label == label.with_suffix(".png").read_bytes()
        verify_split(load_dataset(tmp_path / "data", split))


def test_files_without_sub_folders_are_one_split(tmp_path):
    source = write_folder(tmp_path / "source", ["a", "b"])
    # What file managers leave behind is not data.
    (source / "images" / ".DS_Store").touch()
    assert convert_folder(source, tmp_path / "data").splits == {"train": 2}


@pytest.mark.parametrize(
    "classes, expected",
    [
        (["a", "b"], DatasetInfo("n", ("a", "b"))),
        (
            [{"name": "a", "color": [1, 2, 3]}, "b"],
            DatasetInfo("n", ("a", "b"), ((1, 2, 3), (128, 0, 0))),
        ),
        (
            {"classes": ["a", {"name": "b"}], "ignore_label": 0},
            DatasetInfo("n", ("a", "b"), ignore_label=0),
        ),
    ],
)
def test_classes_are_read(tmp_path, classes, expected):
    path = tmp_path / "classes.json"
    path.write_text(json.dumps(classes))
    assert folder.read_classes(path, "n") == expected


@pytest.mark.parametrize(
    "text, message",
    [
        ("[", "want a list"),
        ("3", "want a list"),
        ("{}", "want a list.*classes"),
        ("[3]", "want a list"),
        ('[{"color": [0, 0, 0]}]', "want a list.*name"),
        ('["a", "a"]', "a appears twice"),
        ('[{"name": "a", "color": [0, 0]}]', "three integers"),
        ('{"classes": ["a"], "ignore": 0}', "unknown key 'ignore'"),
    ],
)
def test_malformed_classes_are_named(tmp_path, text, message):
    source = write_folder(tmp_path / "source", ["a"])
    (source / "classes.json").write_text(text)
    with pytest.raises(UserError, match=f"classes.json: .*{message}") as error:
        convert_folder(source, tmp_path / "data")
    assert "\n" not in str(error.value)


def test_missing_partner_is_named(tmp_path):
    source = write_folder(tmp_path / "source", ["train/a", "train/b"])
    (source / "labels/train/a.png").unlink()
    with pytest.raises(UserError, match="images/train/a.jpg has no label in"):
        convert_folder(source, tmp_path / "data")
    (source / "images/train/a.jpg").unlink()
    (source / "images/train/b.jpg").unlink()
    (source / "images/train/c.jpg").write_bytes(b"")
    (source / "labels/train/c.png").write_bytes(b"")
    with pytest.raises(UserError, match="labels/train/b.png has no image in"):
        convert_folder(source, tmp_path / "data")
    assert_nothing_written(tmp_path / "data")


def test_wrong_layout_is_named(tmp_path):
    data_dir = tmp_path / "data"
    source = write_folder(tmp_path / "source", ["train/a"])

    def refused(message):
        with pytest.raises(UserError, match=message):
            convert_folder(source, data_dir)

    (source / "images/train/a.png").touch()
    refused("a.png: has the name of a.jpg")
    (source / "images/train/a.png").rename(source / "images/train/a.gif")
    refused("a.gif: want one of .jpg, .jpeg, .png, .bmp, .webp")
    (source / "images/train/a.gif").rename(source / "images/b.jpg")
    refused("b.jpg: lies beside the folder train/")
    (source / "images/b.jpg").unlink()
    (source / "labels/val").mkdir()
    refused("labels/val: there is no .*images/val")
    (source / "labels/val").rmdir()
    (source / "labels/train").rename(source / "labels/training")
    refused("labels/training: there is no")
    (source / "classes.json").unlink()
    (source / "labels/training").rename(source / "labels/train")
    refused("classes.json: not found")
    (source / "images").rename(source / "pictures")
    refused("images: no such directory")
    assert_nothing_written(data_dir)


def test_empty_folder_is_named(tmp_path):
    source = tmp_path / "source"
    for name in ("images", "labels"):
        (source / name).mkdir(parents=True)
    (source / "classes.json").write_text('["a"]')
    with pytest.raises(UserError, match="images: holds no images"):
        convert_folder(source, tmp_path / "data")


def test_bad_files_are_named_and_the_rest_is_counted(tmp_path):
    names = [f"{i}" for i in range(6)]
    source = write_folder(tmp_path / "source", names)
    (source / "labels/1.png").write_bytes(
        encode(random_image(np.random.default_rng(0)))
    )
    (source / "labels/2.png").write_bytes(
        encode(np.full((12, 16), 77, np.uint8))
    )
    image = source / "images/4.jpg"
    image.write_bytes(image.read_bytes()[:200])
    (source / "labels/5.png").write_bytes(encode(np.zeros((12, 15), np.uint8)))
    with pytest.raises(UserError) as error:
        convert_folder(source, tmp_path / "data")
    error.match("source: 4 of 6 are bad: train/1.jpg: the label is RGB-coded")
    error.match("train/2.jpg: label ids 77 .*; train/4.jpg: .*; and 1 more")
    assert_no_data_set(tmp_path / "data")


def test_indices_of_palette_labels_count(tmp_path):
    source = write_folder(tmp_path / "source", ["a"])
    ids = np.arange(192, dtype=np.uint8).reshape(12, 16) % 3
    palette = Image.fromarray(ids, "L").convert("P")
    palette.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    for bits in (8, 2):
        path = source / "labels/a.png"
        path.write_bytes(encode(palette, bits=bits))
        convert_folder(source, tmp_path / f"data{bits}")
        (example,) = stored(tmp_path / f"data{bits}", "train")
        np.testing.assert_array_equal(decode(example.label), ids)


def test_folders_may_be_links(tmp_path):
    names = ["train/a", "train/deep/b"]
    there = write_folder(tmp_path / "there", names)
    source = write_folder(tmp_path / "source", ["train/c"])
    for name in ("images", "labels"):
        (source / name / "train/more").symlink_to(there / name / "train")
    info = convert_folder(source, tmp_path / "data")
    assert info.splits == {"train": 3}
    found = [example.filename for example in stored(tmp_path / "data", "train")]
    assert found == ["c.jpg", "more/a.jpg", "more/deep/b.jpg"]


def test_equal_set_is_kept_and_another_refused(tmp_path):
    data_dir = tmp_path / "data"
    source = write_folder(tmp_path / "source", ["train/a", "val/a"])
    info = convert_folder(source, data_dir)
    before = state(data_dir)
    assert convert_folder(source, data_dir) == info
    assert state(data_dir) == before

    write_folder(source, ["train/a"], seed=1)
    with pytest.raises(UserError, match="data: holds another data set"):
        convert_folder(source, data_dir)
    assert state(data_dir) == before

    (source / "images/val/a.jpg").unlink()
    (source / "labels/val/a.png").unlink()
    for name in ("images", "labels"):
        (source / name / "val").rmdir()
    info = convert_folder(source, data_dir, overwrite=True)
    assert info.splits == {"train": 1}
    (example,) = stored(data_dir, "train")
    assert example.image == (source / "images/train/a.jpg").read_bytes()
    assert not list(data_dir.glob("val-*"))


def test_directory_that_cannot_be_written_is_named(tmp_path):
    source = write_folder(tmp_path / "source", ["a"])
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/data: cannot be written"):
        convert_folder(source, tmp_path / "file/data")


def run_script(*words):
    return subprocess.run(
        [sys.executable, "datasets/convert_folder.py", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_script_refuses_leftover_words_and_says_what_it_needs(tmp_path):
    both = ("--source=a", f"--data_dir={tmp_path / 'data'}")
    refused = run_script(*both, "--overwrite", "=", "True")
    assert refused.returncode == 1 and "unexpected words" in refused.stderr
    refused = run_script(*both, "--shards=0")
    assert refused.returncode == 1 and "--shards" in refused.stderr
    words = run_script("--help").stdout
    flags = ("source", "data_dir", "shards", "[no]overwrite", "workers")
    assert all(f"--{flag}:" in words for flag in flags)
    assert words.startswith("Converts a folder of images and labels")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_script_converts_and_reports_an_error_in_one_line(tmp_path):
    source = write_folder(tmp_path / "source", ["a", "b"])
    both = (f"--source={source}", f"--data_dir={tmp_path / 'data'}")
    done = run_script(*both, "--shards=1", "--workers=1")
    assert done.returncode == 0, done.stderr
    assert "3 classes, {'train': 2}" in done.stdout
    assert len(load_dataset(tmp_path / "data", "train")) == 2
    refused = run_script(*both, "--shards=2")
    assert refused.returncode == 1
    assert refused.stderr == (
        f"error: {tmp_path / 'data'}: holds another data set; choose another "
        "directory (a conversion with --overwrite replaces it)\n"
    )

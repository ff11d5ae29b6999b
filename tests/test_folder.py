import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from image_files import decode, encode, random_image, write_folder
from PIL import Image

from deepgbass.data import conversion, folder, tfrecord
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.folder import convert_folder
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.verify import verify_split
from deepgbass.errors import UserError


def stored(data_dir, split):
    paths = tfrecord.list_shards(data_dir, split)
    payloads = tf.data.TFRecordDataset(paths).as_numpy_iterator()
    return [tfrecord.deserialize_example(payload) for payload in payloads]


def state(data_dir):
    """Names and times of all files: equal if nothing was written."""
    return {p.name: p.stat().st_mtime_ns for p in data_dir.iterdir()}


def assert_nothing_written(data_dir):
    assert not data_dir.exists() or not list(data_dir.iterdir())


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
    (source / "images/train/a.png").rename(source / "images/train/a.webp")
    refused("a.webp: want one of .jpg, .jpeg, .png, .bmp")
    (source / "images/train/a.webp").rename(source / "images/b.jpg")
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


def test_bad_files_are_named_before_anything_is_written(tmp_path):
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
    error.match("images: 4 of 6 are bad: 1.jpg: the label is RGB-coded")
    error.match("2.jpg: label ids 77 .*; 4.jpg: .*cannot be.*; and 1 more")
    assert_nothing_written(tmp_path / "data")


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


def test_broken_palette_label_is_named(tmp_path):
    source = write_folder(tmp_path / "source", ["a"])
    palette = encode(Image.fromarray(np.eye(64, dtype=np.uint8), "P"))
    (source / "labels/a.png").write_bytes(palette[:-20])
    with pytest.raises(UserError, match="labels/a.png: cannot be read"):
        convert_folder(source, tmp_path / "data")


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


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["train-00000-of-00001.tfrecord", "a.txt"])
def test_folder_of_other_files_is_not_filled(tmp_path, name, overwrite):
    source = write_folder(tmp_path / "source", ["a"])
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / name).write_bytes(b"theirs")
    with pytest.raises(UserError, match=f"data: holds other files .{name}"):
        convert_folder(source, data_dir, overwrite=overwrite)
    assert [path.name for path in data_dir.iterdir()] == [name]
    assert (data_dir / name).read_bytes() == b"theirs"


def test_mark_of_a_conversion_does_not_give_a_whole_set_away(tmp_path):
    data_dir = tmp_path / "data"
    info = convert_folder(write_folder(tmp_path / "one", ["a"]), data_dir)
    # Killed between the description and the removal of the mark.
    (data_dir / conversion._MARK).touch()
    other = write_folder(tmp_path / "two", ["a"], seed=1)
    with pytest.raises(UserError, match="holds another data set"):
        convert_folder(other, data_dir)
    assert DatasetInfo.load(data_dir) == info


@pytest.mark.parametrize("survives", [0, 1])
def test_killed_conversion_is_no_data_set_and_may_be_repeated(
    tmp_path, monkeypatch, survives
):
    data_dir = tmp_path / "data"
    source = write_folder(tmp_path / "source", ["train/a", "train/b", "val/a"])
    write_split = tfrecord.write_split
    calls = []

    def killed(*arguments):
        calls.append(arguments)
        if len(calls) > survives:
            raise KeyboardInterrupt
        write_split(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(conversion.tfrecord, "write_split", killed)
        with pytest.raises(KeyboardInterrupt):
            convert_folder(source, data_dir)
    with pytest.raises(UserError):
        load_dataset(data_dir, "train")
    # What SIGKILL leaves, which runs no clean-up.
    (data_dir / f"{tfrecord.PART}xyz").mkdir()
    assert convert_folder(source, data_dir).splits == {"train": 2, "val": 1}
    assert len(load_dataset(data_dir, "train")) == 2
    assert not list(data_dir.glob(".*"))


def test_directory_that_cannot_be_written_is_named(tmp_path):
    source = write_folder(tmp_path / "source", ["a"])
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/data: cannot be written"):
        convert_folder(source, tmp_path / "file/data")


def test_script_converts_and_refuses_leftover_words(tmp_path):
    source = write_folder(tmp_path / "source", ["a"])
    root = pathlib.Path(__file__).parents[1]
    command = [
        sys.executable,
        "datasets/convert_folder.py",
        f"--source={source}",
        f"--data_dir={tmp_path / 'data'}",
        "--shards=1",
    ]

    def run(*words):
        return subprocess.run(
            [*command, *words],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
        )

    refused = run("--overwrite", "=", "True")
    assert refused.returncode == 1 and "unexpected words" in refused.stderr
    done = run()
    assert done.returncode == 0, done.stderr
    assert "3 classes, {'train': 1}" in done.stdout
    assert len(load_dataset(tmp_path / "data", "train")) == 1

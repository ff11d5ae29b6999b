"""The embedded data set: written once, kept, never in place of others."""

import dataclasses

import numpy as np
import pytest
from image_files import convert_folder, write_folder

from deepgbass.data import conversion
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.synthetic import SYNTHETIC, write_synthetic
from deepgbass.data.verify import verify_split
from deepgbass.errors import UserError

SMALL = {"train": 3, "val": 2, "size": (48, 64)}


def files(data_dir):
    return {p.name: p.stat().st_mtime_ns for p in data_dir.iterdir()}


def test_written_set_passes_the_check(tmp_path):
    info = write_synthetic(tmp_path, **SMALL)
    assert info == DatasetInfo.load(tmp_path)
    assert info.splits == {"train": 3, "val": 2}
    for split, count in info.splits.items():
        assert verify_split(load_dataset(tmp_path, split)).images == count
    example = next(load_dataset(tmp_path, "val").examples())
    assert example["image"].shape == (48, 64, 3)


def test_scenes_depend_on_seed_split_and_number_alone(tmp_path):
    write_synthetic(tmp_path / "few", **SMALL)
    write_synthetic(tmp_path / "more", **SMALL | {"train": 5})
    write_synthetic(tmp_path / "other", **SMALL, seed=1)

    def images(name, split):
        return [
            example["image"].tobytes()
            for example in load_dataset(tmp_path / name, split).examples()
        ]

    assert images("few", "train") == images("more", "train")[:3]
    assert images("few", "val") == images("more", "val")
    together = images("more", "train") + images("more", "val")
    assert len(set(together + images("other", "train"))) == 5 + 2 + 3


def test_identical_set_is_kept_and_another_synthetic_one_replaced(tmp_path):
    write_synthetic(tmp_path, **SMALL)
    before = files(tmp_path)
    write_synthetic(tmp_path, **SMALL)
    assert files(tmp_path) == before
    write_synthetic(tmp_path, **SMALL, seed=1)
    assert files(tmp_path) != before
    example = next(load_dataset(tmp_path, "train").examples())
    write_synthetic(tmp_path, **SMALL)
    back = next(load_dataset(tmp_path, "train").examples())
    assert not np.array_equal(example["image"], back["image"])


def test_spoiled_set_is_written_again(tmp_path):
    write_synthetic(tmp_path, **SMALL)
    (tmp_path / "val-00000-of-00002.tfrecord").unlink()
    write_synthetic(tmp_path, **SMALL)
    assert len(load_dataset(tmp_path, "val")) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "mine"},
        {"class_names": ("road", "disc", "box", "ring", "blob", "pole")},
        {"colors": SYNTHETIC.colors[::-1]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_data_is_not_replaced(tmp_path, changes):
    info = dataclasses.replace(SYNTHETIC, splits={"train": 1}, **changes)
    info.save(tmp_path)
    shard = tmp_path / "train-00000-of-00001.tfrecord"
    shard.write_bytes(b"theirs")
    before = files(tmp_path)
    with pytest.raises(UserError, match="another data set"):
        write_synthetic(tmp_path, **SMALL)
    assert files(tmp_path) == before
    assert shard.read_bytes() == b"theirs"


def test_a_users_folder_called_synthetic_is_not_replaced(tmp_path):
    source = write_folder(tmp_path / "synthetic", ["train/a", "val/a"])
    convert_folder(source, tmp_path / "data")
    before = files(tmp_path / "data")
    with pytest.raises(UserError, match="another data set"):
        write_synthetic(tmp_path / "data", **SMALL)
    assert files(tmp_path / "data") == before


@pytest.mark.parametrize(
    "name", ["thesis.tex", "train-00000-of-00001.tfrecord"]
)
def test_a_folder_of_other_files_is_not_filled(tmp_path, name):
    (tmp_path / name).write_text("theirs")
    with pytest.raises(
        UserError, match=f"other files \\({name}, ...\\) and no"
    ):
        write_synthetic(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_killed_writing_may_be_repeated(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "_publish", killed)
        with pytest.raises(KeyboardInterrupt):
            write_synthetic(tmp_path, **SMALL)
    assert list(tmp_path.iterdir())
    assert write_synthetic(tmp_path, **SMALL) == DatasetInfo.load(tmp_path)
    verify_split(load_dataset(tmp_path, "train"))

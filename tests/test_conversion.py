import dataclasses
import os
import pathlib
import threading
import types

import numpy as np
import pytest
from image_files import (
    decode,
    encode,
    folder_bytes,
    random_image,
    random_label,
    stored,
    write_folder,
)

from deepgbass.data import conversion
from deepgbass.data.conversion import convert
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.folder import open_folder
from deepgbass.data.manifest import check_shards
from deepgbass.data.parallel import parallel_map
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.record import Example
from deepgbass.data.source import Source
from deepgbass.errors import UserError

INFO = DatasetInfo("set", ("a", "b", "c"), ignore_label=2, protocol="half")
NAMES = [f"train/{i}" for i in range(7)] + ["val/a"]


@dataclasses.dataclass(frozen=True)
class Noise:
    """An item that comes from no file."""

    seed: int
    files = ()

    @property
    def name(self):
        return f"noise {self.seed}.png"

    def read(self):
        rng = np.random.default_rng(self.seed)
        size = (10 + self.seed % 3, 20 - self.seed % 2)
        image, label = random_image(rng, *size), random_label(rng, *size)
        return Example(self.name, encode(image), encode(label))


class Gate(Noise):
    """An item that waits until it is let through."""

    here, go = threading.Event(), threading.Event()

    def read(self):
        self.here.set()
        assert self.go.wait(60)
        return super().read()


def noise(count, first=0):
    return Source(INFO, {"train": [Noise(first + i) for i in range(count)]})


def reads(monkeypatch):
    """The names of what is checked from now on."""
    names = []
    check = conversion._check

    def noting(info, item):
        names.append(f"{item[0]}/{item[1].name}")
        return check(info, item)

    monkeypatch.setattr(conversion, "_check", noting)
    return names


def test_bytes_do_not_depend_on_the_workers(tmp_path):
    source = open_folder(write_folder(tmp_path / "source", NAMES))
    for workers in (1, 2, 7):
        convert(source, tmp_path / f"{workers}", num_shards=3, workers=workers)
    one = folder_bytes(tmp_path / "1")
    assert len(one) == 3 + 1 + 1
    assert one == folder_bytes(tmp_path / "2") == folder_bytes(tmp_path / "7")


def test_description_says_what_was_written(tmp_path):
    info = convert(noise(7), tmp_path, num_shards=2)
    there = DatasetInfo.load(tmp_path)
    assert there == info and there.protocol == "half"
    assert (there.statistics, there.shards) == (info.statistics, info.shards)
    labels = [decode(item.label) for item in stored(tmp_path, "train")]
    ids = np.concatenate([label.ravel() for label in labels])
    statistics = info.statistics["train"]
    assert statistics.pixels == (np.sum(ids == 0), np.sum(ids == 1), 0)
    assert statistics.ignored == np.sum(ids == 2) > 0
    # Sizes are (10 + i % 3, 20 - i % 2) for i in 0..6.
    assert statistics.min_size == (10, 19)
    assert statistics.max_size == (12, 20)
    assert statistics.common_size == (10, 20)
    first, second = info.shards["train"]
    assert (first.records, second.records) == (3, 4)
    for shard in (first, second):
        assert (tmp_path / shard.name).stat().st_size == shard.size
    check_shards(info, tmp_path, "train", contents=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [first.name, second.name, "dataset.json"]
    )


def test_bad_items_cost_their_own_shards_alone(tmp_path, monkeypatch):
    source = write_folder(tmp_path / "source", NAMES)
    bad = source / "labels/train/3.png"
    good = bad.read_bytes()
    bad.write_bytes(b"")
    with pytest.raises(UserError, match="1 of 8 are bad: .*3.png: .*empty"):
        convert(open_folder(source), tmp_path / "data", num_shards=3)
    bad.write_bytes(good)
    names = reads(monkeypatch)
    convert(open_folder(source), tmp_path / "data", num_shards=3)
    # 7 in 3 shards: 0 1 | 2 3 | 4 5 6.
    assert names == ["train/2.jpg", "train/3.jpg"]
    convert(open_folder(source), tmp_path / "again", num_shards=3)
    assert folder_bytes(tmp_path / "data") == folder_bytes(tmp_path / "again")


def test_what_could_not_be_read_is_not_taken_for_written(tmp_path):
    class Unplugged(Noise):
        plugged = False

        def read(self):
            if not self.plugged:
                raise OSError(5, "Input/output error")
            return super().read()

    items = [Noise(0), Unplugged(1), Noise(2)]
    source = Source(INFO, {"train": items})
    with pytest.raises(
        UserError, match="1 of 3 are bad: train/noise 1.png: .*Input/output"
    ):
        convert(source, tmp_path, num_shards=1)
    # Nothing about the source changes but that it can be read.
    Unplugged.plugged = True
    assert convert(source, tmp_path, num_shards=1).splits == {"train": 3}
    assert len(stored(tmp_path, "train")) == 3


def interrupt(source, data_dir, monkeypatch, **options):
    """Converts all but the last step."""

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "_publish", killed)
        with pytest.raises(KeyboardInterrupt):
            convert(open_folder(source), data_dir, num_shards=3, **options)


def test_changed_files_are_read_again(tmp_path, monkeypatch):
    source = write_folder(tmp_path / "source", NAMES)
    interrupt(source, tmp_path / "data", monkeypatch)
    other = write_folder(tmp_path / "other", NAMES, seed=1)
    changed = source / "images/train/5.jpg"
    changed.write_bytes((other / "images/train/5.jpg").read_bytes())
    names = reads(monkeypatch)
    convert(open_folder(source), tmp_path / "data", num_shards=3)
    assert names == [f"train/{i}.jpg" for i in (4, 5, 6)]
    assert stored(tmp_path / "data", "train")[5].image == changed.read_bytes()


@pytest.mark.parametrize("change", ["classes", "shards", "items"])
def test_another_source_starts_anew(tmp_path, monkeypatch, change):
    source = write_folder(tmp_path / "source", NAMES)
    interrupt(source, tmp_path / "data", monkeypatch)
    if change == "classes":
        (source / "classes.json").write_text('["x", "y", "z"]')
    elif change == "items":
        for path in source.glob("*/train/0.*"):
            path.unlink()
    count = 2 if change == "shards" else 3
    info = convert(open_folder(source), tmp_path / "data", num_shards=count)
    convert(open_folder(source), tmp_path / "fresh", num_shards=count)
    assert folder_bytes(tmp_path / "data") == folder_bytes(tmp_path / "fresh")
    assert len(info.shards["train"]) == count


@pytest.mark.parametrize("spoil", ["flip", "cut", "note"])
def test_a_finished_shard_that_was_damaged_is_written_again(
    tmp_path, monkeypatch, spoil
):
    source = write_folder(tmp_path / "source", NAMES)
    interrupt(source, tmp_path / "data", monkeypatch)
    work = tmp_path / "data" / ".converting"
    shard = work / "train-00001-of-00003.tfrecord"
    data = shard.read_bytes()
    if spoil == "note":
        shard.with_name(f"{shard.name}.json").write_text('{"digest": 3')
    else:
        end = b"" if spoil == "cut" else bytes([data[-1] ^ 1])
        shard.write_bytes(data[:-1] + end)
    names = reads(monkeypatch)
    convert(open_folder(source), tmp_path / "data", num_shards=3)
    assert names == ["train/2.jpg", "train/3.jpg"]
    convert(open_folder(source), tmp_path / "fresh", num_shards=3)
    assert folder_bytes(tmp_path / "data") == folder_bytes(tmp_path / "fresh")


def test_the_earlier_set_stays_until_the_new_one_is_complete(
    tmp_path, monkeypatch
):
    earlier = write_folder(tmp_path / "earlier", NAMES)
    convert(open_folder(earlier), tmp_path / "data")
    before = folder_bytes(tmp_path / "data")
    source = write_folder(tmp_path / "source", ["train/a"], seed=1)
    interrupt(source, tmp_path / "data", monkeypatch, overwrite=True)
    after = folder_bytes(tmp_path / "data")
    assert before.items() < after.items()
    assert len(load_dataset(tmp_path / "data", "train")) == 7
    # Without a second --overwrite it is still not replaced.
    with pytest.raises(UserError, match="data: holds another data set"):
        convert(open_folder(source), tmp_path / "data", num_shards=3)
    convert(
        open_folder(source), tmp_path / "data", num_shards=3, overwrite=True
    )
    assert len(load_dataset(tmp_path / "data", "train")) == 1
    assert not list((tmp_path / "data").glob("val-*"))


def test_another_number_of_shards_is_another_set(tmp_path):
    convert(noise(3), tmp_path, num_shards=2)
    before = folder_bytes(tmp_path)
    with pytest.raises(UserError, match="holds another data set"):
        convert(noise(3), tmp_path, num_shards=3)
    assert folder_bytes(tmp_path) == before


def test_a_spoiled_set_is_not_taken_for_an_equal_one(tmp_path):
    convert(noise(3), tmp_path, num_shards=1)
    (shard,) = tmp_path.glob("train-*")
    data = shard.read_bytes()
    shard.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    with pytest.raises(UserError, match="holds another data set"):
        convert(noise(3), tmp_path, num_shards=1)
    convert(noise(3), tmp_path, num_shards=1, overwrite=True)
    assert shard.read_bytes() == data


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["train-00000-of-00001.tfrecord", "a.txt"])
def test_folder_of_other_files_is_not_filled(tmp_path, name, overwrite):
    (tmp_path / name).write_bytes(b"theirs")
    with pytest.raises(UserError, match=rf"holds other files \({name}, ...\)"):
        convert(noise(2), tmp_path, overwrite=overwrite)
    assert folder_bytes(tmp_path) == {name: b"theirs"}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_files_that_came_during_an_interruption_are_not_removed(
    tmp_path, monkeypatch
):
    source = write_folder(tmp_path / "source", NAMES)
    interrupt(source, tmp_path / "data", monkeypatch)
    theirs = tmp_path / "data" / "train-00000-of-00009.tfrecord"
    theirs.write_bytes(b"theirs")
    with pytest.raises(UserError, match="holds other files"):
        convert(open_folder(source), tmp_path / "data", num_shards=3)
    assert theirs.read_bytes() == b"theirs"


def test_other_files_beside_a_data_set_stay(tmp_path):
    convert(noise(2), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    convert(noise(2, first=5), tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_second_of_two_converters_is_refused(tmp_path):
    source = Source(INFO, {"train": [Gate(0), Noise(1)]})
    first = threading.Thread(target=convert, args=(source, tmp_path))
    first.start()
    try:
        assert Gate.here.wait(60)
        with pytest.raises(UserError, match="another conversion writes here"):
            convert(noise(3), tmp_path)
    finally:
        Gate.go.set()
        first.join()
    found = [example.filename for example in stored(tmp_path, "train")]
    assert found == ["noise 0.png", "noise 1.png"]


def test_a_move_that_was_interrupted_goes_on(tmp_path, monkeypatch):
    source = write_folder(tmp_path / "source", NAMES)
    moves = []

    def move(old, new):
        if len(moves) == 2:
            raise KeyboardInterrupt
        moves.append(os.rename(old, new))

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "os", types.SimpleNamespace(replace=move))
        with pytest.raises(KeyboardInterrupt):
            convert(open_folder(source), tmp_path / "data", num_shards=3)
    assert len(list((tmp_path / "data").glob("*.tfrecord"))) == 2
    with pytest.raises(UserError, match="a conversion did not finish"):
        load_dataset(tmp_path / "data", "train")
    names = reads(monkeypatch)
    convert(open_folder(source), tmp_path / "data", num_shards=3)
    assert names == []
    convert(open_folder(source), tmp_path / "fresh", num_shards=3)
    assert folder_bytes(tmp_path / "data") == folder_bytes(tmp_path / "fresh")


def test_shards_moved_by_another_source_go(tmp_path, monkeypatch):
    source = write_folder(tmp_path / "source", NAMES)
    data_dir = tmp_path / "data"

    def stop(old, new):
        os.rename(old, new)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "os", types.SimpleNamespace(replace=stop))
        with pytest.raises(KeyboardInterrupt):
            convert(open_folder(source), data_dir, num_shards=3)
    assert list(data_dir.glob("*.tfrecord"))
    # Now nothing of the source is good.
    for path in source.glob("labels/*/*"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="8 of 8 are bad"):
        convert(open_folder(source), data_dir, num_shards=3)
    assert not list(data_dir.iterdir())


@pytest.mark.parametrize(
    "splits, message",
    [
        ({}, "set: has no splits"),
        ({"train": []}, "train: there is no image"),
        ({"train": [Noise(0), Noise(0)]}, "'train': 1 names appear twice"),
    ],
)
def test_a_source_without_sense_is_refused(tmp_path, splits, message):
    with pytest.raises(UserError, match=message):
        convert(Source(INFO, splits), tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("option", ["num_shards", "workers"])
def test_numbers_out_of_range_are_refused(tmp_path, option):
    with pytest.raises(UserError, match=f"{option}: want at least 1, not 0"):
        convert(noise(1), tmp_path / "data", **{option: 0})


def test_only_a_few_items_are_held_at_a_time():
    pulled, seen = [], []
    items = (pulled.append(i) or i for i in range(500))
    for result in parallel_map(lambda i: -i, items, 2):
        seen.append(-result)
        assert len(pulled) - len(seen) <= 8
    assert seen == list(range(500))


def test_directory_in_a_files_place_is_named(tmp_path):
    pathlib.Path(tmp_path, "file").touch()
    with pytest.raises(UserError, match="file/data: cannot be written: Not a"):
        convert(noise(1), tmp_path / "file/data")

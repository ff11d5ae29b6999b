"""Every kind of bad input: the message that it gives, and what is kept.

One table for both sides. `SOURCES` are faults of a folder that is converted
over an earlier data set: the message comes in one line, the earlier set stays
as it was, and mended, the folder converts to the bytes that it should have.
`RECORDS` are faults of a data set that is read: the split is refused, the
other one is not, and no file is touched. Directories that are no place for a
data set are in `test_conversion.py`, being killed is in `test_kill.py`.
"""

import contextlib
import pathlib
import shutil

import pytest
from image_files import convert_folder, folder_bytes, stored, write_folder
from record_faults import RECORDS, SHARD
from source_faults import SOURCES, megapixels

from deepgbass.data.pipeline import load_dataset
from deepgbass.data.verify import verify_split
from deepgbass.errors import UserError

NAMES = ["train/a", "train/b", "train/c", "val/a"]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """A good folder, its data set, and an earlier data set of another."""
    root = tmp_path_factory.mktemp("worlds")
    classes = {"classes": ["a", "b", "c"], "ignore_label": 7}
    write_folder(root / "good" / "source", NAMES, classes)
    write_folder(root / "earlier", NAMES, classes, seed=1)
    convert_folder(root / "good" / "source", root / "wanted", num_shards=2)
    convert_folder(root / "earlier", root / "data", num_shards=2)
    return root


def visible(data_dir):
    """What a reader sees: the bytes of every file by its name."""
    return {k: v for k, v in folder_bytes(data_dir).items() if k[0] != "."}


@pytest.mark.parametrize("fault", SOURCES)
def test_fault_of_a_source(tmp_path, worlds, monkeypatch, fault):
    message, spoil, check = SOURCES[fault]
    source, data_dir = tmp_path / "source", tmp_path / "data"
    shutil.copytree(worlds / "good/source", source)
    shutil.copytree(worlds / "data", data_dir)
    before = visible(data_dir)

    def run():
        return convert_folder(source, data_dir, num_shards=2, overwrite=True)

    spoiling = spoil(source, data_dir, monkeypatch)
    if message is None:
        run()
        (example,) = [
            example
            for example in stored(data_dir, "train")
            if example.filename not in ("b.jpg", "c.jpg")
        ]
        check(example)
    else:
        if not isinstance(spoiling, contextlib.AbstractContextManager):
            spoiling = contextlib.nullcontext()
        with spoiling, pytest.raises(UserError, match=message) as error:
            run()
        assert "\n" not in str(error.value)
        assert visible(data_dir) == before
    verify_split(load_dataset(data_dir, "train"))

    shutil.rmtree(source)
    shutil.copytree(worlds / "good/source", source)
    run()
    assert folder_bytes(data_dir) == folder_bytes(worlds / "wanted")


@pytest.fixture(scope="module")
def three_shards(worlds):
    convert_folder(worlds / "good/source", worlds / "three", num_shards=3)
    return worlds / "three"


@pytest.mark.parametrize("fault", RECORDS)
def test_fault_of_records(tmp_path, three_shards, fault):
    spoil, message = RECORDS[fault]
    data_dir = tmp_path / "data"
    shutil.copytree(three_shards, data_dir)
    spoil(data_dir / SHARD)
    before = folder_bytes(data_dir)
    with pytest.raises(UserError, match=message) as error:
        verify_split(load_dataset(data_dir, "train"))
    assert "\n" not in str(error.value)
    assert folder_bytes(data_dir) == before
    if "dataset.json" not in fault and "conversion that" not in fault:
        verify_split(load_dataset(data_dir, "val"))


def test_the_table_is_long_enough():
    assert len(SOURCES) + len(RECORDS) >= 50


def memory(kind):
    """This process's use of memory in MB: "VmRSS" now, "VmHWM" at most."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(kind)]
    return int(line.split()[1]) / 1024


def test_a_big_image_takes_bounded_memory(tmp_path):
    source = write_folder(tmp_path / "source", ["train/a", "train/b"])
    megapixels(source)
    # Forgets the greatest use so far.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    convert_folder(source, tmp_path / "data", workers=1)
    # 60 MB of pixels and 20 of ids; as 64-bit numbers the ids are 160.
    assert 50 < memory("VmHWM") - before < 150

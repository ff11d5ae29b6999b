"""Files are whole or absent."""

import errno
import shutil

import pytest

from deepgbass.files import (
    atomic_folder,
    atomic_path,
    remove_folder,
    remove_temporaries,
    write_atomic,
)


def test_writes_text_and_bytes_and_makes_the_folder(tmp_path):
    write_atomic(tmp_path / "a" / "text", "grün")
    write_atomic(tmp_path / "a" / "bytes", b"\x00\xff")
    assert (tmp_path / "a" / "text").read_text(encoding="utf-8") == "grün"
    assert (tmp_path / "a" / "bytes").read_bytes() == b"\x00\xff"


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.json"
    write_atomic(path, "old")

    def fail_halfway():
        with atomic_path(path) as temporary:
            temporary.write_text("half of the n")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail_halfway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_result_is_as_readable_as_any_file(tmp_path):
    write_atomic(tmp_path / "ours", "x")
    (tmp_path / "plain").write_text("x")
    modes = [(tmp_path / n).stat().st_mode for n in ("ours", "plain")]
    assert modes[0] == modes[1]


def test_a_folder_is_whole_or_absent(tmp_path):
    with atomic_folder(tmp_path / "a" / "whole") as folder:
        (folder / "file").write_text("x")
        assert not (tmp_path / "a" / "whole").exists()
    assert (tmp_path / "a" / "whole" / "file").read_text() == "x"

    def fail_halfway():
        with atomic_folder(tmp_path / "a" / "torn") as folder:
            (folder / "file").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["whole"]
    modes = [p.stat().st_mode for p in (tmp_path / "a", tmp_path / "a/whole")]
    assert modes[0] == modes[1]


def test_a_folder_is_removed_at_once_with_all_in_it(tmp_path, monkeypatch):
    (tmp_path / "old" / "more").mkdir(parents=True)
    with monkeypatch.context() as patch:
        # As if killed while it removes.
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        remove_folder(tmp_path / "old")
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".old.") and left.name.endswith(".tmp")
    (tmp_path / ".file.x.tmp").touch()
    (tmp_path / ".mine").touch()
    remove_temporaries(tmp_path, "file")
    assert {p.name for p in tmp_path.iterdir()} == {left.name, ".mine"}
    remove_temporaries(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".mine"]


def test_a_disk_that_is_full_is_known_by_the_file(tmp_path):
    path = tmp_path / "result.json"
    with pytest.raises(OSError) as caught, atomic_path(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(path)

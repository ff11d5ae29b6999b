"""Files are whole or absent."""

import pytest

from deepgbass.files import atomic_path, write_atomic


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

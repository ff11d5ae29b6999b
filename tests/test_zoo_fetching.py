"""Fetching, from `file:` addresses and a server on this machine only."""

import contextlib
import http.server
import io
import tarfile
import threading

import numpy as np
import pytest
from tf1_reference import write_checkpoint

from deepgbass.configs import ModelConfig
from deepgbass.errors import UserError
from deepgbass.models import build_model
from deepgbass.zoo.catalog import CATALOG, ZooEntry, entry
from deepgbass.zoo.fetching import default_cache_dir, fetch


def archive(path, members):
    """A .tar.gz of `(name, bytes)`."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def published(tmp_path):
    """An archive as the zoo's: a folder with two checkpoints in it."""
    members = []
    for step in (900, 30000):
        prefix = write_checkpoint(
            tmp_path / f"source/model.ckpt-{step}", {"a": np.ones(3, "f4")}
        )
        for file in sorted(prefix.parent.glob(f"{prefix.name}.*")):
            members.append((f"net/{file.name}", file.read_bytes()))
    return archive(tmp_path / "net_2020.tar.gz", members)


def entry_of(path):
    return ZooEntry("net", path.as_uri(), "none", "none", None)


def test_a_network_is_fetched_once_and_its_newest_checkpoint_named(
    published, tmp_path
):
    prefix = fetch(entry_of(published), tmp_path / "cache")
    assert prefix.name == "model.ckpt-30000"
    assert prefix.with_name("model.ckpt-30000.index").is_file()
    published.unlink()
    assert fetch(entry_of(published), tmp_path / "cache") == prefix


def test_a_file_that_changed_on_disk_is_refused(published, tmp_path):
    fetch(entry_of(published), tmp_path / "cache")
    kept = tmp_path / "cache/net" / published.name
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="SHA-256 changed"):
        fetch(entry_of(published), tmp_path / "cache")


def test_paths_that_leave_the_folder_are_refused(tmp_path):
    path = archive(tmp_path / "x.tar.gz", [("../../escaped", b"mine")])
    with pytest.raises(UserError, match="cannot be unpacked"):
        fetch(entry_of(path), tmp_path / "a/b/cache")
    assert not list(tmp_path.rglob("escaped"))
    assert not list((tmp_path / "a/b/cache/net").glob("*.tar.gz"))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"<html>Sign in</html>", "cannot be unpacked"), (None, "no checkpoint")],
)
def test_an_archive_of_something_else_is_named(tmp_path, content, said):
    path = archive(tmp_path / "x.tar.gz", [("readme.txt", b"hello")])
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError, match=said) as error:
        fetch(entry_of(path), tmp_path / "cache")
    assert "\n" not in str(error.value)


def test_a_damaged_archive_is_refused(published, tmp_path):
    content = bytearray(published.read_bytes())
    # The checksum of what was packed: all of it can be read nevertheless.
    content[-8] ^= 1
    published.write_bytes(content)
    with pytest.raises(UserError, match="cannot be unpacked.*CRC"):
        fetch(entry_of(published), tmp_path / "cache")
    assert not list((tmp_path / "cache/net").glob("*.tar.gz"))


def test_a_cache_that_cannot_be_is_named_before_fetching(published, tmp_path):
    with pytest.raises(UserError, match="cannot be made.*cache_dir"):
        fetch(entry_of(published), published)


@contextlib.contextmanager
def server(body, announced):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/net.tar.gz"
        serving.shutdown()
        thread.join()


def test_a_download_over_http_is_whole_or_absent(published, tmp_path):
    body = published.read_bytes()
    with server(body, len(body)) as url:
        found = ZooEntry("net", url, "none", "none", None)
        assert fetch(found, tmp_path / "whole").name == "model.ckpt-30000"
    with server(body, len(body) + 5) as url:
        found = ZooEntry("net", url, "none", "none", None)
        with pytest.raises(UserError, match="bytes arrived|cannot be fetched"):
            fetch(found, tmp_path / "cut")
    with server(b"", 0) as url:
        found = ZooEntry("net", url, "none", "none", None)
        with pytest.raises(UserError, match="by hand"):
            fetch(found, tmp_path / "absent")
    for name in ("cut", "absent"):
        assert not [p for p in (tmp_path / name).rglob("*") if p.is_file()]


def test_the_cache_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "deepgbass"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir().parts[-2:] == (".cache", "deepgbass")


def test_the_catalogue_is_consistent():
    assert len({e.name for e in CATALOG}) == len({e.url for e in CATALOG})
    for found in CATALOG:
        assert found.url.startswith("http")
        assert found.url.endswith((".tar.gz", ".tgz"))
        assert found.parts in ("all", "backbone")
        if found.arguments:
            ModelConfig(backbone=found.arguments["backbone"])
    with pytest.raises(UserError, match="choose from .*xception65_voc"):
        entry("xception")


def test_the_zoo_network_has_the_published_size():
    found = entry("edgetpu_deeplab_cityscapes")
    model = build_model(**found.arguments, input_shape=(65, 65, 3))
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    assert trainable == 3_603_283

"""Fetches a network of the catalogue: on request, checked, once.

The publishers state no hashes. The SHA-256 of the first download is kept
beside the archive, so that later use notices a change on disk; whether that
first download was the publisher's file, only the size, the archive's own
checksums and a readable checkpoint inside can tell.
"""

import gzip
import hashlib
import http.client
import os
import pathlib
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib

from deepgbass.errors import UserError
from deepgbass.files import atomic_path, write_atomic
from deepgbass.progress import track
from deepgbass.zoo.catalog import ZooEntry
from deepgbass.zoo.catalog import entry as find_entry
from deepgbass.zoo.formats import INDEX_MAGIC, identify

_CHUNK = 1 << 20
_TIMEOUT_S = 30


def default_cache_dir() -> pathlib.Path:
    """`$XDG_CACHE_HOME/deepgbass`, by default `~/.cache/deepgbass`."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "deepgbass"


def fetch(name: str | ZooEntry, cache_dir=None) -> pathlib.Path:
    """Downloads a network unless it is in the cache already, and unpacks it.

    Args:
        name: of an entry of the catalogue, or an entry.
        cache_dir: None for `default_cache_dir()`.

    Returns:
        The checkpoint's prefix, for `load_zoo_weights`.

    Raises:
        UserError: the name is unknown, the download fails or is incomplete,
            or the archive is damaged, unsafe or without a checkpoint.
    """
    entry = name if isinstance(name, ZooEntry) else find_entry(name)
    folder = pathlib.Path(cache_dir or default_cache_dir()) / entry.name
    archive = folder / entry.url.rsplit("/", 1)[-1]
    digest_file = archive.with_name(f"{archive.name}.sha256")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be made: {error.strerror}; give another cache_dir"
        ) from None
    if not archive.is_file():
        _download(entry.url, archive)
        digest_file.unlink(missing_ok=True)
    digest = _sha256(archive)
    if not digest_file.is_file():
        write_atomic(digest_file, f"{digest}  {archive.name}\n")
    elif digest_file.read_text().split()[:1] != [digest]:
        raise UserError(
            f"{archive} is not what was downloaded (its SHA-256 changed);"
            f" remove {folder} and fetch again"
        )
    unpacked = folder / "unpacked"
    if not unpacked.is_dir():
        _unpack(archive, unpacked, entry.url)
    return _checkpoint(archive, unpacked)


def _download(url, path):
    try:
        with (
            urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response,
            atomic_path(path) as temporary,
        ):
            announced = response.headers.get("Content-Length")
            chunks = iter(lambda: response.read(_CHUNK), b"")
            total = announced and -(-int(announced) // _CHUNK)
            with open(temporary, "wb") as file:
                for chunk in track(chunks, f"fetch {path.name} (MB)", total):
                    file.write(chunk)
                size = file.tell()
            if announced and size != int(announced):
                raise UserError(
                    f"{url}: {size:,} of {int(announced):,} bytes arrived; try"
                    " again"
                )
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"{url} cannot be fetched: {reason}; fetch it by hand and unpack"
            " it, load_zoo_weights takes the folder"
        ) from None


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(archive, target, url):
    """Unpacks aside, then renames; nothing is written outside `target`."""
    aside = pathlib.Path(
        tempfile.mkdtemp(dir=target.parent, prefix=".unpacking.")
    )
    try:
        with (
            gzip.open(archive) as stream,
            tarfile.open(fileobj=stream, mode="r:") as tar,
        ):
            # Refuses absolute paths, "..", links that leave, and devices.
            tar.extractall(aside, filter="data")
            # The checksum lies behind the last byte that tarfile needs.
            while stream.read(_CHUNK):
                pass
        aside.chmod(0o755)
        aside.rename(target)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        archive.unlink()
        raise UserError(
            f"{archive} cannot be unpacked and was removed: {error}; fetch it"
            f" again, or {url} by hand if that repeats (it may ask to sign in)"
        ) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _checkpoint(archive, folder):
    found = []
    for index in sorted(folder.rglob("*.index")):
        with open(index, "rb") as file:
            if file.read().endswith(INDEX_MAGIC):
                found.append(index)
    if not found:
        raise UserError(
            f"{archive} holds no checkpoint; its files are in {folder}"
        )
    # Of several training steps, the last: names end in the step's number.
    newest = max(found, key=lambda path: (len(path.name), path.name))
    return identify(newest).path

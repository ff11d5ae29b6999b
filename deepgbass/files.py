"""Files and folders that are whole or absent: made aside, then renamed."""

import contextlib
import os
import pathlib
import shutil
import tempfile

from deepgbass.errors import UserError

# Asked once: it can only be read by setting it, for all threads.
_UMASK = os.umask(0)
os.umask(_UMASK)


@contextlib.contextmanager
def atomic_path(path):
    """A temporary path that becomes `path` if the block succeeds.

    The temporary file lies in the same folder (a rename across file systems
    is not atomic) and is removed if the block fails, so that an existing
    file at `path` is replaced by a whole one or left as it was.

    Args:
        path: str or Path of the file to write; its folder is made if absent.

    Yields:
        pathlib.Path to write to.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(**_temporary(path))
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        _make_readable(temporary, 0o666)
        os.replace(temporary, path)
    except OSError as error:
        # A write to a full disk knows of no names.
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path, content):
    """Writes `content` (str or bytes) to `path`, whole or not at all."""
    if isinstance(content, str):
        content = content.encode("utf-8")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def temporary_folder(path):
    """A folder beside `path` that vanishes after the block.

    Args:
        path: str or Path of what is made or removed with the folder's help;
            its parent is made if absent.

    Yields:
        pathlib.Path of the folder.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(**_temporary(path)))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def atomic_folder(path):
    """A temporary folder that becomes `path` if the block succeeds.

    What is in it is on the disk before it gets its name, so that not even a
    power failure leaves half of it.

    Args:
        path: str or Path of the folder to make; it must not exist.

    Yields:
        pathlib.Path of a folder for files.
    """
    path = pathlib.Path(path)
    with temporary_folder(path) as folder:
        yield folder
        _make_readable(folder, 0o777)
        for file in folder.iterdir():
            sync(file)
        sync(folder)
        os.rename(folder, path)
        sync(path.parent)


def remove_folder(path):
    """Removes a folder with all in it; under its name it is whole or gone."""
    with temporary_folder(path) as folder:
        os.rename(path, folder / "removed")


def remove_temporaries(folder, name="*"):
    """Removes what killed processes left of the above in a folder.

    Nobody else may be writing to the folder.

    Args:
        folder: str or Path.
        name: of the file or folder that was to be, or a pattern.
    """
    for path in pathlib.Path(folder).glob(f".{name}.*.tmp"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def sync(path):
    """Waits until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_writable(folder, flag="output_dir"):
    """Makes the folder that a flag names, and a file in it that vanishes.

    Called before anything takes time.

    Raises:
        UserError: either fails.
    """
    try:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"--{flag}={folder} cannot be written: {error.strerror}"
        ) from None


def _temporary(path):
    """Arguments of `tempfile` for a name beside `path`."""
    return {
        "dir": path.parent,
        "prefix": f".{path.name}.",
        "suffix": ".tmp",
    }


def _make_readable(path, mode):
    """What `tempfile` makes is private; a result is as readable as any."""
    path.chmod(mode & ~_UMASK)

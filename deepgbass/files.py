"""Files that are whole or absent: written aside, then renamed."""

import contextlib
import os
import pathlib
import tempfile

from deepgbass.errors import UserError


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
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"
    )
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        # mkstemp files are private; a result is as readable as any other.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path, content):
    """Writes `content` (str or bytes) to `path`, whole or not at all."""
    if isinstance(content, str):
        content = content.encode("utf-8")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def require_writable(folder):
    """Makes the folder of `--output_dir`, and a file in it that vanishes.

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
            f"--output_dir={folder} cannot be written: {error.strerror}"
        ) from None

"""One process at a time: a lock that dies with the process that holds it."""

import contextlib
import fcntl
import os
import pathlib

from deepgbass.errors import UserError

# The file in that folder whose lock is held.
FILE_NAME = "lock"


@contextlib.contextmanager
def locked_folder(path, what):
    """Makes a folder and holds it alone; removes it afterwards if empty.

    The kernel drops the lock when its holder dies, however it dies.

    Args:
        path: Folder for the work of one process; its parent exists.
        what: What writes to the parent, such as "conversion".

    Yields:
        pathlib.Path of the folder.

    Raises:
        UserError: Another process holds it.
    """
    folder = pathlib.Path(path)
    handle = _acquire(folder, what)
    try:
        yield folder
    finally:
        # Removed while it is held, so nobody can have taken it meanwhile.
        (folder / FILE_NAME).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()
        os.close(handle)


def _acquire(folder, what):
    while True:
        # pathlib's exist_ok fails if the last holder removes it in between.
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
        try:
            handle = os.open(folder / FILE_NAME, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            # The last holder removed the folder just now.
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_file(handle, folder / FILE_NAME):
                return handle
        except BlockingIOError as error:
            os.close(handle)
            raise UserError(
                f"{folder.parent}: another {what} writes here now; wait for "
                "it or choose another directory"
            ) from error
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_file(handle, path):
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False

"""Run by `test_kill.py`: conversions that are killed at a chosen moment.

    python tests/kill_conversion.py DIR [PERCENT ...]

DIR holds `source`, an `earlier` data set and the `wanted` one. For each call
that touches a file, or only those after so many per cent of them, a child
converts and kills itself before that call; another child then looks at what
is left and converts again. TensorFlow is imported once, before it is forked.
"""

import os
import pathlib
import shutil
import signal
import sys
import traceback

from image_files import convert_folder, folder_bytes

from deepgbass.data.pipeline import load_dataset
from deepgbass.data.verify import verify_split
from deepgbass.errors import UserError

_CALLS = ("open", "fcntl.flock", "os.mkdir", "os.rename", "os.remove")
_CALLS += ("os.rmdir", "os.chmod", "os.listdir", "os.scandir")


def in_child(function, *arguments):
    """Runs a function in a child; its exit code, negative for a signal."""
    child = os.fork()
    if not child:
        code = 1
        try:
            function(*arguments)
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def convert(root, workers):
    convert_folder(
        root / "source",
        root / "data",
        num_shards=2,
        overwrite=True,
        workers=workers,
    )


def convert_until(root, moment, counted=None):
    """Converts and dies before the call of that number.

    Only calls that name a file below `root` are counted. Their number goes
    into the file `counted`.
    """
    calls = 0

    def hook(event, arguments):
        nonlocal calls
        if event in _CALLS and str(arguments[0]).startswith(str(root)):
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1

    sys.addaudithook(hook)
    convert(root, 1)
    counted.write_text(str(calls))


def readable(data_dir):
    """Whether a reader takes this for a data set."""
    try:
        for split in ("train", "val"):
            verify_split(load_dataset(data_dir, split))
    except UserError:
        return False
    return True


def judge(root):
    """Asserts what is left, and what the next conversion makes of it."""
    wanted, earlier = (folder_bytes(root / n) for n in ("wanted", "earlier"))
    found = {
        name: data
        for name, data in folder_bytes(root / "data").items()
        if not name.startswith(".")
    }
    if readable(root / "data"):
        print("wanted" if found == wanted else "earlier")
        assert found in (wanted, earlier)
    else:
        print("refused")
    convert(root, 2)
    assert folder_bytes(root / "data") == wanted


def main(root, percents):
    counted = root.parent / "counted"
    for scene in ("empty", "earlier"):

        def prepare(scene=scene):
            shutil.rmtree(root / "data", ignore_errors=True)
            if scene == "earlier":
                shutil.copytree(root / "earlier", root / "data")
            else:
                (root / "data").mkdir()

        prepare()
        assert in_child(convert_until, root, -1, counted) == 0
        total = int(counted.read_text())
        moments = [total * percent // 100 for percent in percents]
        for moment in moments or range(total):
            prepare()
            assert in_child(convert_until, root, moment) == -signal.SIGKILL
            print(scene, moment, total, flush=True, end=" ")
            assert in_child(judge, root) == 0, (scene, moment)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), [int(word) for word in sys.argv[2:]])

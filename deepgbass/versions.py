"""The versions that decide the numbers, as results record them."""

import functools
import importlib.metadata
import pathlib
import platform
import subprocess

from deepgbass import __version__

_PACKAGES = (
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
    "numpy",
    "ai-edge-litert",
)
_ROOT = pathlib.Path(__file__).resolve().parents[1]


def versions():
    """Name -> version of Python and the packages that decide the numbers."""
    found = {"deepgbass": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def commit():
    """Of the git checkout that the package runs from; None if it is none."""
    if not (_ROOT / ".git").exists():
        return None
    try:
        return subprocess.run(
            ["git", "-C", str(_ROOT), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None

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


def provenance():
    """`versions`, and the `commit` of the checkout that made something."""
    return versions() | {"commit": commit()}


@functools.cache
def commit():
    """The hash of the commit that the package runs from.

    As it was when first asked for: work that begins should ask, since others
    may commit while it goes on.

    Returns:
        40 hex digits, with "-dirty" after them if files differ from the
        commit's; None outside of a git checkout.
    """
    if not (_ROOT / ".git").exists():
        return None
    describe = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(
            ["git", "-C", str(_ROOT), *describe],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None

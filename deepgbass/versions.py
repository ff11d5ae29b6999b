"""The versions that decide the numbers, as results record them."""

import importlib.metadata
import platform

from deepgbass import __version__

_PACKAGES = (
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
    "numpy",
    "ai-edge-litert",
)


def versions():
    """Name -> version of Python and the packages that decide the numbers."""
    found = {"deepgbass": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

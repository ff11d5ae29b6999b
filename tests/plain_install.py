"""An environment in which is what `pip install deepgbass[coral]` brings.

Nothing is downloaded: the packages of this one are linked into a folder, those
that setup.py asks for and those that they ask for, and no others.
"""

import importlib.metadata
import os
import subprocess
import sys

from conftest import ROOT
from packaging.requirements import Requirement

# The interpreter without the packages of its own environment.
PYTHON = [sys.executable, "-S"]


def requirements(folder, extra="coral"):
    """What setup.py asks for: list of `Requirement`.

    Args:
        folder: for files that setuptools writes.
        extra: of it.
    """
    subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info", "-e", str(folder)],
        check=True,
        cwd=ROOT,
    )
    distribution = importlib.metadata.PathDistribution(
        folder / "deepgbass.egg-info"
    )
    return _needed(distribution, extra)


def link_packages(folder, wanted):
    """Links packages, with all that they need, into a folder.

    Args:
        folder: made if absent.
        wanted: list of `Requirement`.

    Returns:
        Names on PyPI of what is in it.
    """
    folder.mkdir(exist_ok=True)
    found, waiting = set(), list(wanted)
    while waiting:
        one = waiting.pop()
        name = one.name.lower().replace("_", "-")
        if name in found:
            continue
        found.add(name)
        distribution = importlib.metadata.distribution(one.name)
        waiting += _needed(distribution, *one.extras)
        for top in {file.parts[0] for file in distribution.files}:
            link = folder / top
            if top not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(distribution.locate_file(top))
    return found


def environment(folder):
    """Variables for `PYTHON` with the packages of a folder and this one."""
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def _needed(distribution, *extras):
    wanted = map(Requirement, distribution.requires or ())
    return [
        one
        for one in wanted
        if one.marker is None
        or any(one.marker.evaluate({"extra": e}) for e in ("", *extras))
    ]

"""BUILD: every file is in a target, and a target brings what it imports."""

import ast
import functools
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "deepgbass"


def _glob(patterns, exclude=()):
    def matches(lines):
        return {
            str(path.relative_to(ROOT)) for p in lines for path in ROOT.glob(p)
        }

    return sorted(matches(patterns) - matches(exclude))


@functools.cache
def _libraries():
    """Name of a py_library -> (its sources, the libraries it needs)."""
    found = {}

    def py_library(name, srcs, deps=(), **_):
        found[name] = (set(srcs), [dep.removeprefix(":") for dep in deps])

    names = {
        name: lambda *_, **__: None
        for name in (
            "exports_files",
            "filegroup",
            "licenses",
            "package",
            "py_binary",
            "py_test",
            "test_suite",
        )
    }
    names |= {"glob": _glob, "py_library": py_library}
    exec(compile((ROOT / "BUILD").read_text(), "BUILD", "exec"), names)
    return found


def _closure(name):
    sources, deps = _libraries()[name]
    return sources.union(*map(_closure, deps))


def _file_of(module):
    path = ROOT / module.replace(".", "/")
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return str(file.relative_to(ROOT))
    return None


def _imports(path):
    """The package's files that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module] + [
                f"{node.module}.{alias.name}" for alias in node.names
            ]
        else:
            continue
        for module in modules:
            file = module.startswith("deepgbass") and _file_of(module)
            if file:
                yield file
                # Python runs the packages above a module first.
                for folder in pathlib.Path(file).parents[:-1]:
                    yield str(folder / "__init__.py")


@pytest.mark.parametrize("name", _libraries())
def test_a_library_brings_what_it_imports(name):
    available = _closure(name)
    missing = {
        f"{path} imports {file}"
        for path in _libraries()[name][0]
        for file in _imports(path)
        if file not in available
    }
    assert not missing, "\n".join(sorted(missing))


def test_every_file_is_in_one_library():
    homes = {}
    for name, (sources, _) in _libraries().items():
        for path in sources:
            homes.setdefault(path, []).append(name)
    files = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.py")}
    assert set(homes) == files
    assert not {path: n for path, n in homes.items() if len(n) > 1}

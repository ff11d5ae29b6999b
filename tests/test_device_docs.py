"""docs/on-device.md and docs/evaluation.md name what commands have."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

PAGES = ("on-device.md", "evaluation.md")


def text(page):
    return (ROOT / "docs" / page).read_text()


def commands(page):
    """(module, words) of every command in a page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", text(page), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = (re.match(r"python -m (\S+) (.*)", line) for line in lines)
    return [match.groups() for match in found if match]


@pytest.fixture(scope="module")
def helps():
    """Module -> the names of its flags."""
    modules = {module for page in PAGES for module, _ in commands(page)}
    found = {}
    for module in modules:
        printed = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            capture_output=True,
            text=True,
            cwd=ROOT,
        ).stdout
        names = re.findall(r"^  --(\[no\])?(\w+):", printed, re.MULTILINE)
        found[module] = {name for _, name in names}
        found[module] |= {f"no{name}" for no, name in names if no}
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_flag_in_the_commands_exists(page, helps):
    found = commands(page)
    assert len(found) >= 5
    for module, words in found:
        for flag in re.findall(r"--(\w+)", words):
            assert flag in helps[module], (module, flag)


def test_the_table_has_all_flags_of_the_benchmark(helps):
    table = text("on-device.md").split("| Flag |")[1].split("\n\n")[0]
    named = set(re.findall(r"`--(\w+)`", table))
    flags = {
        flag
        for flag in helps["deepgbass.ondevice.benchmark"]
        if not flag.startswith("no")
    }
    assert named == flags


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([\w/.-]+)(?:#([\w-]+))?\)", text(page))
    assert links
    for path, anchor in links:
        target = ROOT / "docs" / path
        assert target.exists(), path
        if anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert anchor in [head.lower().replace(" ", "-") for head in heads]

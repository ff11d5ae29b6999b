"""README and the pages under docs/ name what is there."""

import functools
import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT

from deepgbass.presets import get_config

PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (
        ROOT / "README.md",
        ROOT / "datasets/README.md",
        *(ROOT / "docs").glob("*.md"),
    )
)
_PROGRAM = re.compile(r"\bpython (-m deepgbass[.\w]+|(?:\w+/)?\w+\.py) ?(.*)")


def text(page):
    return (ROOT / page).read_text()


def commands(page):
    """(program, words) of every command in a page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", text(page), re.DOTALL)
    # One page indents them instead.
    blocks += re.findall(r"(?:^    .+\n)+", text(page), re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = (_PROGRAM.search(line) for line in lines if "#" not in line[:5])
    return [
        (match[1], shlex.split(match[2], comments=True))
        for match in found
        if match
    ]


@functools.cache
def flags(program):
    """The names of a program's flags."""
    printed = subprocess.run(
        [sys.executable, *program.split(), "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout
    names = re.findall(r"^ +(?:-\w,)?--(\[no\])?(\w+)", printed, re.MULTILINE)
    found = {name for _, name in names}
    return found | {f"no{name}" for no, name in names if no}


def test_the_pages_have_commands():
    counts = {page: len(commands(page)) for page in PAGES}
    assert counts["README.md"] > 15 and counts["docs/on-device.md"] > 5
    assert sum(counts.values()) > 35, counts


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_flag_in_the_commands_exists(page):
    for program, words in commands(page):
        for word in words:
            if word.startswith("--"):
                name = word[2:].partition("=")[0]
                assert name in flags(program), (program, word)


@pytest.mark.parametrize("page", PAGES)
def test_every_field_that_commands_set_exists(page):
    for _, words in commands(page):
        given = dict(
            word[2:].split("=", 1)
            for word in words
            if word.startswith("--") and "=" in word
        )
        fields = [
            word
            for flag, word in zip(words, words[1:], strict=False)
            if flag == "--set"
        ]
        get_config(given.get("config", "camvid")).with_overrides(fields)


@pytest.mark.slow
def test_the_table_has_all_flags_of_the_benchmark():
    table = text("docs/on-device.md").split("| Flag |")[1].split("\n\n")[0]
    named = set(re.findall(r"`--(\w+)`", table))
    assert named == {
        flag
        for flag in flags("-m deepgbass.ondevice.benchmark")
        if not flag.startswith("no")
    } - {"help"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([\w/.-]*)(?:#([\w-]+))?\)", text(page))
    for path, anchor in links:
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), path
        if anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert anchor in [head.lower().replace(" ", "-") for head in heads]

"""README.md says what is true: its commands, its files, its numbers."""

import re

from conftest import ROOT

README = (ROOT / "README.md").read_text()


def test_speeds_are_those_of_the_files():
    section = README.split("## Speed")[1].split("\n## ")[0]
    rows = re.findall(r"\| [^|]+ \| ([^|]+) \| .*\]\(([^)]+)\)", section)
    assert len(rows) == 6
    for measured, path in rows:
        text = (ROOT / path).read_text()
        assert text.startswith("$ python benchmarks/")
        found = [float(number) for number in re.findall(r"\d+\.?\d*", text)]
        for word in re.findall(r"\d+\.?\d*", measured):
            decimals = len(word.partition(".")[2])
            assert any(f"{x:.{decimals}f}" == word for x in found), word


def test_the_two_quick_start_commands_set_up_all_they_need():
    for kind in ("demo", "test"):
        block = README.split(f"<!-- {kind} command -->")[1].split("```")[1]
        (command,) = block.removeprefix("sh\n").strip().splitlines()
        assert command.startswith("python3.11 -m venv .venv && ")
        assert ".venv/bin/pip install" in command

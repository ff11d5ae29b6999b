"""README.md says what is true: its commands, its files, its numbers."""

import re

from conftest import ROOT

README = (ROOT / "README.md").read_text()


# Where in what a benchmark printed the numbers of its row are, in order.
SPEEDS = {
    "sbal_step.txt": r"^SBAL +[\d.]+ +([\d.]+) .* ([\d.]+)$",
    "boundary_f1.txt": r"0.75 % diag .* ([\d.]+) img/s(?:.|\n)*?, (\d+) times",
    "train_loop.txt": r"^Ratio ([\d.]+)",
    "postprocess.txt": r"NumPy bilinear.* ([\d.]+) times",
    "int8_latency.txt": r"DLv3D-64 int8: ([\d.]+).*goal ([\d.]+): \w+\n"
    r".*int8 / DGD-64 float32: ([\d.]+)",
    "input_pipeline.txt": r"^Ratio ([\d.]+)",
}


def test_speeds_are_those_of_the_files():
    section = README.split("## Speed")[1].split("\n## ")[0]
    rows = re.findall(r"\| [^|]+ \| ([^|]+) \| .*\]\(([^)]+)\)", section)
    assert [path.rpartition("/")[2] for _, path in rows] == list(SPEEDS)
    for measured, path in rows:
        text = (ROOT / path).read_text()
        assert text.startswith("$ python benchmarks/")
        pattern = SPEEDS[path.rpartition("/")[2]]
        match = re.search(pattern, text, re.MULTILINE)
        assert match, f"{path} has not what {pattern} looks for"
        told = re.findall(r"(?<![\w-])\d+\.?\d*(?!\w)", measured)
        for word, number in zip(told, match.groups(), strict=True):
            decimals = len(word.partition(".")[2])
            assert f"{float(number):.{decimals}f}" == word, path


def test_the_two_quick_start_commands_set_up_all_they_need():
    for kind in ("demo", "test"):
        block = README.split(f"<!-- {kind} command -->")[1].split("```")[1]
        (command,) = block.removeprefix("sh\n").strip().splitlines()
        assert command.startswith("python3.11 -m venv .venv && ")
        assert ".venv/bin/pip install" in command

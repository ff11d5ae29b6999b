"""The paper's numbers against the paper."""

import re

import pytest

from deepgbass.ablation import paper

# Roman number of a table -> what it is of.
TABLES = {"I": "Cityscapes", "III": "ADE20K-32"}


def printed(text, number):
    """Rows of a table: name without spaces -> its cells after the name."""
    body = re.split(rf"TABLE {number}:", text)[1].split("\n\n")[1]
    rows = {}
    for line in body.splitlines()[1:]:
        name, *cells = line.split("\t")
        name = re.sub(r"\(DeepGBASS\)|\s|\[7\]", "", name)
        rows[name] = [re.sub(r"</?b>", "", cell) for cell in cells]
    return rows


@pytest.mark.parametrize("number", TABLES)
def test_values_and_gains_are_those_printed(shared, number):
    rows = printed((shared / "paper.md").read_text(), number)
    names = list(paper.VALUES["ADE20K-32"])
    assert len(names) == 5
    for name in names:
        whole = "MNEdgeDeepLab" + name.removeprefix("MNEdge DeepLab")
        miou, miou_gain, mbf, mbf_gain = rows[whole]
        found = paper.of_row(name)[TABLES[number]]
        assert (found["miou"], found["mbf"]) == (float(miou), float(mbf))
        for metric, words in (("miou", miou_gain), ("mbf", mbf_gain)):
            value = found[f"{metric}_gain"]
            assert ("-" if value is None else f"{value:.1f}") == words


def test_table_2_is_as_printed(shared):
    rows = printed((shared / "paper.md").read_text(), "II")
    for name in ("DLv3D-64", "DGD-64"):
        values = paper.VALUES["Cityscapes"][name]
        assert tuple(map(float, rows[name][:2])) == values


def test_other_rows_have_nothing_of_the_paper():
    assert paper.of_row("DeepGBASS") == {}


def test_gain_is_relative():
    assert paper.gain(1.5, 1.2) == pytest.approx(25)
    assert paper.gain(None, 1.2) is None and paper.gain(1.0, 0.0) is None

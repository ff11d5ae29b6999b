"""What the Markdown of a table says, of made-up trials."""

import pytest
from fake_trials import write_table, write_trial

from deepgbass.ablation import markdown


@pytest.fixture
def table(tmp_path):
    write_trial(
        tmp_path,
        "baseline",
        0,
        {"float": (0.5, 0.4), "int8": (0.49, 0.39), "float_tflite": (0.5, 0.4)},
    )
    tuned = {"qat_int8": (0.55, 0.5)}
    write_trial(tmp_path, "full", 0, {"float": (0.54, 0.5)})
    write_trial(tmp_path, "full", 1, {"float": (0.56, 0.5)} | tuned)
    write_trial(tmp_path, "dgd", 0, {"float": (0.51, 0.41)})
    write_trial(tmp_path, "dgd_64", 1, {"float": (0.52, 0.42)})
    return write_table(
        tmp_path, latency={"baseline": {"int8": 80.04, "float_tflite": 120.0}}
    )


def cells(text):
    """The cells of Markdown rows, by the first one."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
    ]
    assert len({len(line) for line in lines}) == 1
    assert set("".join(lines[1])) == {"-"}
    return lines


def test_gains_stand_beside_the_paper_s(table):
    head, _, *lines = cells(markdown.gains(table["rows"]))
    rows = {line[0]: dict(zip(head, line, strict=True)) for line in lines}
    full = rows["+DGD+SBL+SBL-WCE"]
    assert full["seeds"] == "2" and full["mIoU"] == "55.00 ± 1.41"
    # Of the seed that the baseline has too.
    assert (full["mIoU Δ%"], full["mBF Δ%"]) == ("+8.0", "+25.0")
    assert full["paper, Cityscapes: mIoU"] == "77.13 (+3.1)"
    assert full["paper, ADE20K-32: mBF"] == "43.94 (+39.4)"
    assert rows["MNEdge DeepLab"]["mIoU Δ%"] == "-"
    assert rows["DGD-64"]["paper, ADE20K-32: mIoU"] == "-"


def test_every_training_can_be_seen_by_itself(table):
    head, _, *lines = cells(markdown.seeds(table["rows"]))
    assert head == ["mIoU / mBF, float", "seed 0", "seed 1"]
    assert lines == [
        ["MNEdge DeepLab", "50.0 / 40.0", "-"],
        ["+DGD", "51.0 / 41.0", "-"],
        ["+DGD+SBL+SBL-WCE", "54.0 / 50.0", "56.0 / 50.0"],
        ["DGD-64", "-", "52.0 / 42.0"],
    ]
    assert "seed 1" in markdown.markdown(table)
    single = [row for row in table["rows"] if len(row["seeds"]) == 1]
    assert "seed 1" not in markdown.markdown(table | {"rows": single})


def test_notes_name_what_is_missing_and_the_conditions(table):
    text = markdown.notes(table)
    assert "camvid, split val, 101 images" in text and "a rule" in text
    missing = (
        "MNEdge DeepLab with 1, 2; +DGD with 1, 2; +DGD+SBL+SBL-WCE with 2; "
        "DGD-64 with 0, 2."
    )
    assert f"Seeds not done yet: {missing}" in text
    assert "QAT not done yet: +DGD+SBL+SBL-WCE with 0." in text
    absent = "+SBL, +DGD+SBL, DLv3D-64, DGD-64+SBL, DGD-64+SBL+SBL-WCE."
    assert f"Rows not done yet: {absent}" in text
    assert "Cross-entropy stays beside SBL-WCE in +DGD+SBL+SBL-WCE; " in text
    assert "QAT: fine-tuned" in text and "368x480" in text
    assert "2 threads, median of 50" in text and "some CPU" in text
    complete = [row | {"missing_seeds": []} for row in table["rows"]]
    assert "Seeds not done" not in markdown.notes(table | {"rows": complete})
    float_alone = [row for row in complete if "qat_int8" not in row["forms"]]
    assert "QAT" not in markdown.notes(table | {"rows": float_alone})


def test_every_form_of_a_row_has_its_own_seeds(table):
    _, _, *lines = cells(markdown.forms(table["rows"]))
    assert [line[:3] for line in lines] == [
        ["MNEdge DeepLab", "float", "0"],
        ["MNEdge DeepLab", "int8", "0"],
        ["+DGD", "float", "0"],
        ["+DGD+SBL+SBL-WCE", "float", "0, 1"],
        ["+DGD+SBL+SBL-WCE", "int8, fine-tuned (QAT)", "1"],
        ["DGD-64", "float", "1"],
    ]
    assert len(cells(markdown.costs(table["rows"]))) == 2 + 4


def test_costs_have_times_where_they_were_measured(table):
    head, _, first, second, *_ = cells(markdown.costs(table["rows"]))
    assert head[1:] == [
        "parameters (M)", "GFLOPs", "CPU ms, int8", "CPU ms, float"
    ]  # fmt: skip
    assert first[1:] == ["2.00", "3.50", "80.0", "120.0"]
    assert second[3:] == ["-", "-"]


def test_the_whole_has_every_part(table):
    text = markdown.markdown(table)
    for part in ("gains", "forms", "bands", "costs"):
        assert getattr(markdown, part)(table["rows"]) in text
    assert markdown.notes(table) in text

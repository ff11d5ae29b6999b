"""The comparison of two stored evaluations, in words."""

import json

import pytest
from stored_results import COUNT, write_results

from deepgbass.errors import UserError
from deepgbass.evaluation import comparison
from deepgbass.evaluation.compare_evaluations import (
    Comparison,
    compare_folders,
    print_comparison,
    short_names,
)
from deepgbass.evaluation.comparison import Difference


def test_the_perfect_network_wins_everywhere(tmp_path, capsys):
    wrong = write_results(tmp_path / "wrong", "wrong", shift=1)
    right = write_results(tmp_path / "right", "right")
    compared = compare_folders(wrong, right)
    assert compared.names == ("wrong", "right") and compared.images == COUNT
    for found in compared.differences:
        assert found.b == 1 and found.is_beyond_chance
        assert (found.wins_a, found.wins_b, found.ties) == (0, COUNT, 0)
    print_comparison(compared)
    output = capsys.readouterr().out
    iou = compared.differences[0]
    for text in (f"{iou.a:.3f}", f"{iou.low:+.4f} to {iou.high:+.4f}"):
        assert text in output
    assert "A: wrong; B: right; 6 images" in output
    assert f"mIoU: right is {iou.difference:.4f} above wrong, " in output
    assert "fewer than 20 images are too narrow" in output
    assert max(map(len, output.splitlines()[:6])) <= 80
    values = json.loads(compared.to_json())
    assert values["a"] == "wrong" and values["resamples"] >= 2000
    assert values["differences"][0]["high"] == iou.high


def sentence(**fields):
    values = {"a": 0.5, "b": 0.52, "low": 0.01, "high": 0.03} | fields
    found = Difference("mbf", wins_a=1, wins_b=2, ties=0, **values)
    (text,) = Comparison(("x", "y"), 50, [found]).sentences()
    return text


def test_sentences_say_whether_chance_explains_it():
    text = sentence()
    assert text.startswith("mBF 0.75 %: y is 0.0200 above x, ")
    assert "beyond chance" in text and "over 50 images without 0" in text
    assert "may be chance" in sentence(low=-0.01)
    text = sentence(b=0.48, low=-0.03, high=-0.01)
    assert "y is 0.0200 below x, which is beyond chance" in text
    assert "do not differ" in sentence(b=0.5, low=0.0, high=0.0)
    nan = float("nan")
    assert "nothing to compare" in sentence(a=nan, low=nan, high=nan)


def test_an_excluded_class_enters_no_difference(tmp_path, monkeypatch):
    seen = []
    original = comparison.measured

    def watched(confusions, boundaries, names, excluded):
        seen.append(excluded)
        return original(confusions, boundaries, names, excluded)

    monkeypatch.setattr(comparison, "measured", watched)
    first = write_results(tmp_path / "a", "a", shift=1)
    compare_folders(first, write_results(tmp_path / "b", "b"))
    assert seen == [{3}, {3}]


def test_other_images_are_refused(tmp_path):
    first = write_results(tmp_path / "a", "a")
    for second, named in (
        (
            write_results(tmp_path / "b", "b", split="train"),
            r"data.split \('val', 'train'\)",
        ),
        (
            write_results(tmp_path / "c", "c", count=3),
            r"images measured \(6, 3\)",
        ),
    ):
        with pytest.raises(UserError, match=named) as error:
            compare_folders(first, second)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="holds no evaluation"):
        compare_folders(first, tmp_path / "none")


def test_an_unfinished_evaluation_is_refused(tmp_path):
    first = write_results(tmp_path / "a", "a")
    second = write_results(tmp_path / "b", "b")
    (second / "metrics.json").write_text("{")
    with pytest.raises(UserError, match="metrics.json is damaged"):
        compare_folders(first, second)
    (second / "metrics.json").unlink()
    with pytest.raises(UserError, match=r"not finished \(6 images\)"):
        compare_folders(first, second)


def test_equal_names_are_told_apart_by_their_folders(tmp_path):
    first = write_results(tmp_path / "sbal" / "int8", "model")
    second = write_results(tmp_path / "ce" / "int8", "model")
    assert compare_folders(first, second).names == ("sbal", "ce")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("runs/a", "runs/b"), ("a", "b")),
        (("r/a/export/m.tflite", "r/b/export/m.tflite"), ("a", "b")),
        (("r/a", "r/a/export/m.tflite"), ("a", "export/m.tflite")),
        (("r/a/x", "r/x"), ("a", "x")),
        (("a/1/m", "b/2/m"), ("a/1", "b/2")),
    ],
)
def test_names_are_what_differs(paths, names):
    assert short_names(*paths) == names

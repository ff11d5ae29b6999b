"""README's results section against the files that it is made from."""

import dataclasses
import json

import pytest
from conftest import ROOT, defined_flags
from fake_trials import write_table, write_trial

from deepgbass import results
from deepgbass.ablation.summary import (
    read_trials,
    summarize,
    table_conditions,
)
from deepgbass.ablation.tables import TABLES
from deepgbass.errors import UserError

BEGIN, END = "<!-- results: table.json -->\n", "<!-- end of results -->\n"
TABLE_FILES = sorted((ROOT / "results").glob("*/table.json"))


@pytest.fixture
def table(tmp_path):
    write_trial(tmp_path, "baseline", 0, {"float": (0.5, 0.4)})
    write_trial(tmp_path, "full", 0, {"float": (0.6, 0.5)})
    return write_table(tmp_path)


def test_what_stands_between_the_markers_is_replaced(tmp_path, table):
    text = f"before\n{BEGIN}old\n{END}after\n"
    filled, count = results.fill(text, tmp_path)
    assert count == 1
    assert filled.startswith(f"before\n{BEGIN}\n| network")
    assert filled.endswith(f"\n```\n\n{END}after\n")
    assert "60.00" in filled and "old" not in filled
    assert "python -m deepgbass.ablation \\\n    --table=camvid" in filled
    # Once more changes nothing.
    assert results.fill(filled, tmp_path) == (filled, 1)


def test_parts_are_chosen_by_the_marker(tmp_path, table):
    marker = "<!-- results: table.json costs notes -->\n"
    filled, _ = results.fill(f"{marker}{END}", tmp_path)
    body = filled.removeprefix(marker).removesuffix(END)
    assert body == f"\n{results.section(table, ['costs', 'notes'])}\n"
    assert "GFLOPs" in body and "Cityscapes" not in body
    with pytest.raises(UserError, match="'sums'.*gains"):
        results.section(table, ["sums"])


def test_the_command_changes_the_file_in_place(tmp_path, table, capsys):
    path = tmp_path / "README.md"
    path.write_text(f"# Title\n{BEGIN}{END}")
    with defined_flags(results, readme=str(path)):
        results.main([])
        assert "1 tables, changed" in capsys.readouterr().out
        results.main([])
        assert "as it was" in capsys.readouterr().out
    assert path.read_text() == results.fill(path.read_text(), tmp_path)[0]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nothing\n", "has no line"),
        (BEGIN, "end of results"),
        (f"<!-- results: none.json -->\n{END}", "none.json"),
    ],
)
def test_a_file_that_cannot_be_filled_is_left_alone(
    tmp_path, table, text, named
):
    path = tmp_path / "README.md"
    path.write_text(text)
    with (
        defined_flags(results, readme=str(path)),
        pytest.raises(UserError, match=named),
    ):
        results.main([])
    assert path.read_text() == text


def test_readme_is_filled_from_the_files_that_are_there():
    text = (ROOT / "README.md").read_text()
    filled, count = results.fill(text, ROOT)
    if not count:
        pytest.skip("README.md has no table of results/ yet")
    assert filled == text


def require_agreement(path):
    """A table.json is what the trials and times beside it make."""
    table = json.loads(path.read_text())
    spec = TABLES[table["table"]]
    trials = read_trials(path.parent, spec.keys)
    times, latency = path.with_name("latency.json"), {}
    if times.exists():
        measured = json.loads(times.read_text())["milliseconds"]
        latency = {
            key: {form: found["p50"] for form, found in forms.items()}
            for key, forms in measured.items()
        }
    planned = {
        row["key"]: row["seeds"] + row["missing_seeds"] for row in table["rows"]
    }
    assert table["rows"] == summarize(spec, trials, planned, latency)
    assert table["conditions"] == table_conditions(trials)
    schedules = set()
    for row in table["rows"]:
        for seed, result in trials[row["key"]].items():
            assert result.versions and result.config.train.seed == seed
            assert result.config.with_overrides(row["set"]) == result.config
            schedules.add(dataclasses.replace(result.config.train, seed=0))
    if "study" not in table["table"]:
        assert len(schedules) == 1


def test_agreement_is_seen_and_so_is_its_lack(tmp_path, table):
    path = tmp_path / "table.json"
    require_agreement(path)
    write_trial(tmp_path, "full", 0, {"float": (0.61, 0.5)})
    with pytest.raises(AssertionError):
        require_agreement(path)


@pytest.mark.parametrize(
    "path", TABLE_FILES, ids=[path.parent.name for path in TABLE_FILES]
)
def test_a_table_is_that_of_the_trials_beside_it(path):
    require_agreement(path)

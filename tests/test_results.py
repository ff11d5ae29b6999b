"""README's results section against the files that it is made from."""

import dataclasses
import json
import re

import pytest
from conftest import ROOT, defined_flags
from fake_trials import write_table, write_trial

from deepgbass import results
from deepgbass.ablation.latency import medians
from deepgbass.ablation.markdown import markdown
from deepgbass.ablation.summary import (
    read_trials,
    summarize,
    table_conditions,
)
from deepgbass.ablation.tables import TABLES
from deepgbass.configs import ExperimentConfig
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
        (f"{BEGIN}\nprose\n{BEGIN}\n{END}", "begins before"),
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


def test_pages_are_filled_from_the_files_that_are_there():
    shown = set()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text()
        tables = re.findall("^<!-- results: ([^ ]+)", text, re.MULTILINE)
        if tables:
            assert results.fill(text, page.parent)[0] == text, page
        shown |= {(page.parent / table).resolve() for table in tables}
    assert shown == set(TABLE_FILES)


SHORT_RUNS = sorted(ROOT.glob("results/short_runs/*/metrics.json"))


@pytest.mark.parametrize("path", SHORT_RUNS, ids=lambda path: path.parent.name)
def test_short_runs_are_told_with_the_rates_that_they_had(path):
    scores = json.loads(path.read_text())
    train = json.loads(path.with_name("config.json").read_text())["train"]
    rate = train["learning_rate"]
    factors = dict(word.split("=") for word in train["rate_multipliers"])
    page = ROOT / "docs/where-the-paper-is-silent.md"
    link = path.relative_to(ROOT)
    shown = f"[{scores['miou']:.1%} / {scores['mbf']:.1%}](../{link})"
    (line,) = (
        line
        for line in page.read_text().splitlines()
        if shown.replace("%", "") in line
    )
    steps, *rates = (cell.strip() for cell in line.split("|")[1:5])
    assert int(steps.replace(",", "")) == train["steps"] == scores["step"]
    assert [float(word) for word in rates] == pytest.approx(
        [rate, *(rate * float(factors[p]) for p in ("backbone", "logits"))]
    )


def require_agreement(path):
    """A table.json is what the trials and times beside it make."""
    table = json.loads(path.read_text())
    spec = TABLES[table["table"]]
    trials = read_trials(path.parent, spec.keys)
    times = path.with_name("latency.json")
    measured = json.loads(times.read_text()) if times.exists() else {}
    assert table["rows"] == summarize(spec, trials, medians(measured))
    assert table["conditions"] == table_conditions(trials)
    assert path.with_name("table.md").read_text() == markdown(table)
    first = ExperimentConfig.from_json(json.dumps(table["config"]))
    for row in table["rows"]:
        for seed, result in trials[row["key"]].items():
            assert result.versions and result.config.train.seed == seed
            made = result.config.with_overrides(["train.seed=0", *row["set"]])
            again = dataclasses.replace(made, train=result.config.train)
            assert again == result.config
            if "study" not in table["table"]:
                assert (made.train, made.data) == (first.train, first.data)


def test_agreement_is_seen_and_so_is_its_lack(tmp_path, table):
    path = tmp_path / "table.json"
    require_agreement(path)
    write_trial(tmp_path, "full", 0, {"float": (0.61, 0.5)})
    with pytest.raises(AssertionError):
        require_agreement(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "table.md").write_text("| 99 |"),
        lambda folder: write_trial(
            folder, "full", 0, {"float": (0.6, 0.5)}, words=["train.steps=99"]
        ),
        lambda folder: write_trial(
            folder, "full", 0, {"float": (0.6, 0.5)}, words=["data.flip=false"]
        ),
        # Another row's training in the folder.
        lambda folder: (folder / "full/seed0/trial.json").write_text(
            (folder / "baseline/seed0/trial.json").read_text()
        ),
    ],
    ids=["markdown", "schedule", "data", "row"],
)
def test_files_that_do_not_belong_together_are_seen(tmp_path, table, spoil):
    spoil(tmp_path)
    with pytest.raises(AssertionError):
        require_agreement(tmp_path / "table.json")


@pytest.mark.parametrize(
    "path", TABLE_FILES, ids=[path.parent.name for path in TABLE_FILES]
)
def test_a_table_is_that_of_the_trials_beside_it(path):
    require_agreement(path)

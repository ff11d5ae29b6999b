"""Means, deviations and gains by hand, of made-up trials."""

import pytest
from fake_trials import BANDS, write_trial

from deepgbass.ablation.summary import (
    read_trials,
    require_same,
    summarize,
    table_conditions,
)
from deepgbass.ablation.tables import TABLES, row_configs
from deepgbass.errors import UserError

SPEC = TABLES["camvid"]


def rows(workdir, **more):
    found = summarize(SPEC, read_trials(workdir, SPEC.keys), **more)
    return {row["name"]: row for row in found}


def test_means_and_deviations_are_over_seeds(tmp_path):
    for seed, miou in ((0, 0.4), (1, 0.5), (10, 0.6)):
        write_trial(
            tmp_path, "full", seed, {"float": (miou, 0.3), "int8": (0.2, 0.1)}
        )
    row = rows(tmp_path)["+DGD+SBL+SBL-WCE"]
    assert row["seeds"] == [0, 1, 10] and row["missing_seeds"] == [2]
    assert row["miou"] == pytest.approx(0.5) and row["mbf"] == 0.3
    found = row["forms"]["float"]
    assert found["miou"]["values"] == [0.4, 0.5, 0.6]
    assert found["miou"]["std"] == pytest.approx(0.1)
    assert found["mbf_1px"]["mean"] == pytest.approx(0.28)
    assert [band["width"] for band in found["bands"]] == list(BANDS)
    assert found["bands"][0]["miou"]["mean"] == pytest.approx(0.25)
    assert row["forms"]["int8"]["miou"]["mean"] == pytest.approx(0.2)
    assert (row["parameters"], row["gflops"]) == (2_000_000, 3.5)


def test_gains_are_relative_to_the_first_row(tmp_path):
    write_trial(tmp_path, "baseline", 0, {"float": (0.5, 0.4)})
    write_trial(tmp_path, "dgd", 0, {"float": (0.55, 0.42)})
    write_trial(tmp_path, "dgd_64", 0, {"float": (0.54, 0.41)})
    found = rows(tmp_path)
    assert found["MNEdge DeepLab"]["gain"] == {"miou": None, "mbf": None}
    gain = found["+DGD"]["gain"]
    assert gain["miou"]["mean"] == pytest.approx(10)
    assert gain["mbf"]["mean"] == pytest.approx(5)
    assert gain["mbf"]["std"] is None
    assert found["+DGD"]["paper"]["Cityscapes"]["miou"] == 76.28
    assert found["DGD-64"]["paper"]["Cityscapes"]["miou"] == 76.32


def test_gains_are_over_the_seeds_of_both_rows(tmp_path):
    for seed, miou in ((0, 0.5), (1, 0.4), (2, 0.9)):
        write_trial(tmp_path, "baseline", seed, {"float": (miou, 0.4)})
    for seed, miou in ((0, 0.6), (1, 0.44), (7, 0.8)):
        write_trial(tmp_path, "full", seed, {"float": (miou, 0.4)})
    write_trial(tmp_path, "dgd", 9, {"float": (0.5, 0.4)})
    found = rows(tmp_path)
    gain = found["+DGD+SBL+SBL-WCE"]["gain"]["miou"]
    assert gain["seeds"] == [0, 1]
    assert gain["values"] == pytest.approx([20, 10])
    assert gain["mean"] == pytest.approx(15)
    assert gain["std"] == pytest.approx(50**0.5)
    assert found["+DGD"]["gain"]["miou"] is None


def test_a_partial_ladder_has_the_rows_that_exist(tmp_path):
    write_trial(tmp_path, "full", 0, {"float": (0.5, 0.4)})
    write_trial(tmp_path, "dgd", 0, {"float": (0.5, 0.4)})
    found = rows(tmp_path)
    assert list(found) == ["+DGD", "+DGD+SBL+SBL-WCE"]
    assert found["+DGD+SBL+SBL-WCE"]["missing_seeds"] == [1, 2]
    # No baseline, no gain.
    assert [row["gain"]["miou"] for row in found.values()] == [None] * 2
    assert summarize(SPEC, read_trials(tmp_path / "none", SPEC.keys)) == []


def test_one_seed_has_no_deviation_and_a_gap_no_mean(tmp_path):
    result = write_trial(tmp_path, "dgd", 0, {"float": (0.5, 0.4)})
    result.metrics["float"]["mbf_3px"] = None
    found = summarize(SPEC, {"dgd": {0: result}})[0]["forms"]["float"]
    assert found["miou"]["std"] is None
    assert found["mbf_3px"] == {"mean": None, "std": None, "values": [None]}


def test_a_form_that_some_seeds_lack_says_whose_it_is(tmp_path):
    write_trial(tmp_path, "full", 0, {"float": (0.5, 0.4)})
    write_trial(tmp_path, "full", 1, {"float": (0.5, 0.4), "int8": (0.3, 0.2)})
    form = rows(tmp_path)["+DGD+SBL+SBL-WCE"]["forms"]["int8"]
    assert form["seeds"] == [1] and form["miou"]["values"] == [0.3]


def test_times_stand_with_their_row(tmp_path):
    write_trial(tmp_path, "dgd", 0, {"float": (0.5, 0.4)})
    found = rows(tmp_path, latency={"dgd": {"int8": 12.5}})
    assert found["+DGD"]["latency_ms"] == {"int8": 12.5}


def test_trials_of_another_schedule_are_refused(tmp_path):
    write_trial(tmp_path, "dgd", 0, {"float": (0.5, 0.4)})
    write_trial(tmp_path, "full", 3, {"float": (0.5, 0.4)})
    trials = read_trials(tmp_path, SPEC.keys)
    require_same(tmp_path, trials, row_configs("camvid"))
    # What decides no weights may have changed since.
    require_same(tmp_path, trials, row_configs("camvid", ["train.keep=9"]))
    with pytest.raises(UserError, match="dgd.seed0 .*train.steps .1500") as e:
        require_same(
            tmp_path, trials, row_configs("camvid", ["train.steps=100"])
        )
    assert "\n" not in str(e.value)


def test_trials_that_were_measured_otherwise_are_refused(tmp_path):
    write_trial(tmp_path, "dgd", 0, {"float": (0.5, 0.4)})
    write_trial(tmp_path, "full", 0, {"float": (0.5, 0.4)})
    trials = read_trials(tmp_path, SPEC.keys)
    assert table_conditions(trials)["images"] == 101
    trials["full"][0].metrics["float"]["images"] = 5
    with pytest.raises(UserError, match="images"):
        table_conditions(trials)

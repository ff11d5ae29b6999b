"""The figures as files, of made-up scenes and tables."""

import dataclasses
import types

import numpy as np
import pytest
from conftest import defined_flags
from fake_trials import write_table, write_trial
from PIL import Image

from deepgbass.data.camvid import CAMVID
from deepgbass.errors import UserError
from deepgbass.figures import __main__ as command
from deepgbass.figures.comparison import Scene, save_comparison
from deepgbass.figures.distance import compared_rows, save_distance_curve
from deepgbass.reports.boundary_pictures import BOUNDARY_COLORS


def count(path, color):
    """Pixels of about a colour."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((abs(pixels - np.array(color)).max(-1) <= 2).sum())


@pytest.fixture(scope="module")
def scene():
    label = np.zeros((60, 80), np.int32)
    label[:, 40:] = 3
    wrong = np.roll(label, 12, axis=1)
    image = np.full((60, 80, 3), 90, np.uint8)
    return Scene(image, label, {"good": label, "bad": wrong}, (20, 30, 12, 16))


def test_comparison_shows_errors_and_is_the_same_each_time(tmp_path, scene):
    paths = [tmp_path / name for name in ("a.png", "b.png", "good.png")]
    for path in paths[:2]:
        save_comparison(path, [scene], CAMVID)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    right = {"good": scene.label, "bad": scene.label}
    save_comparison(
        paths[2], [dataclasses.replace(scene, predictions=right)], CAMVID
    )
    # In the legend, and where the second network errs.
    missed = BOUNDARY_COLORS["missed"]
    assert count(paths[0], missed) > count(paths[2], missed) + 100


def test_comparison_has_three_rows_a_scene(tmp_path, scene):
    heights = []
    for scenes in ([scene], [scene, scene]):
        save_comparison(tmp_path / "c.png", scenes, CAMVID)
        with Image.open(tmp_path / "c.png") as picture:
            heights.append(picture.height)
            assert picture.width == 4 * 2 * 130
    assert heights[1] - heights[0] == pytest.approx(3 * 2 * 130 * 0.75, abs=3)


@pytest.fixture
def ladder(tmp_path):
    for seed in (0, 1):
        forms = {"float": (0.5 + 0.1 * seed, 0.4), "int8": (0.45, 0.4)}
        write_trial(tmp_path, "full", seed, forms)
    write_trial(tmp_path, "baseline", 0, {"float": (0.3, 0.2)})
    write_table(tmp_path)
    return tmp_path


def test_the_curve_needs_the_table_alone(ladder, capsys):
    with defined_flags(
        command, workdir=str(ladder), output_dir=str(ladder / "out")
    ):
        command.main(["figures", "distance"])
    path = ladder / "out" / "distance.png"
    assert str(path) in capsys.readouterr().out
    # Blue and vermilion: a line each at least.
    for color in ((0, 114, 178), (213, 94, 0)):
        assert count(path, color) > 300


def test_int8_is_a_line_of_its_own(ladder, tmp_path):
    table = write_table(ladder)
    rows = compared_rows(table["rows"])
    assert [row["key"] for row in rows] == ["baseline", "full"]
    without = [
        row | {"forms": {"float": row["forms"]["float"]}} for row in rows
    ]
    for name, found in (("with", rows), ("without", without)):
        save_distance_curve(tmp_path / f"{name}.png", found)
    orange = (213, 94, 0)
    with_int8 = count(tmp_path / "with.png", orange)
    assert with_int8 > count(tmp_path / "without.png", orange) + 100


def test_a_missing_row_or_table_is_named(ladder):
    rows = write_table(ladder)["rows"]
    with pytest.raises(UserError, match="--rows=full"):
        compared_rows([row for row in rows if row["key"] != "full"])
    with (
        defined_flags(command, workdir="nowhere", output_dir="x"),
        pytest.raises(UserError, match="nowhere/table.json"),
    ):
        command.main(["figures"])


def test_each_row_is_compared_by_its_first_network_that_is_there(
    ladder, monkeypatch
):
    for seed in (0, 1):
        write_trial(ladder, "dgd", seed, {"float": (0.5, 0.4)})
    table = write_table(ladder)
    with pytest.raises(UserError, match="no network of MNEdge DeepLab"):
        command._compared(table, ladder)
    for key in ("baseline", "dgd", "full"):
        (ladder / key / "seed0" / "checkpoints").mkdir()
    rows = command._compared(table, ladder)
    gone = {("dgd", "seed0")}

    def load(folder):
        if (folder.parent.name, folder.name) in gone:
            raise UserError("no checkpoint")
        return str(folder)

    monkeypatch.setattr("deepgbass.ablation.networks.load_predictor", load)
    networks = command._networks(rows, ladder)
    assert {name: one.seed for name, one in networks.items()} == {
        "MNEdge DeepLab": 0,
        "+DGD": 1,
        "+DGD+SBL+SBL-WCE": 0,
    }
    assert networks["+DGD"].predictor == str(ladder / "dgd" / "seed1")
    gone |= {("full", f"seed{seed}") for seed in range(3)}
    with pytest.raises(UserError, match=r"no network of \+DGD\+SBL\+SBL-WCE"):
        command._networks(rows, ladder)


@pytest.mark.parametrize("names", [[], ["pole", "unicorn"]])
def test_classes_that_are_none_are_refused_before_networks_are_loaded(
    ladder, tmp_path, monkeypatch, names
):
    write_table(ladder)
    for key in ("baseline", "full"):
        (ladder / key / "seed0" / "checkpoints").mkdir()
    monkeypatch.setattr("deepgbass.ablation.networks.load_predictor", None)
    monkeypatch.setattr(
        "deepgbass.experiment.open_split",
        lambda *_: types.SimpleNamespace(info=CAMVID),
    )
    with (
        defined_flags(
            command,
            workdir=str(ladder),
            output_dir=str(tmp_path / "out"),
            inset_classes=names,
        ),
        pytest.raises(UserError, match="--inset_classes"),
    ):
        command.main(["figures", "comparison"])

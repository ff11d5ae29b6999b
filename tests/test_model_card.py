"""The card of a model, made from its description."""

import dataclasses
import json

import pytest
from conftest import defined_flags
from fake_trials import metrics, write_table, write_trial

from deepgbass.ablation.tables import row_configs
from deepgbass.data.camvid import CAMVID
from deepgbass.errors import UserError
from deepgbass.export.description import ModelDescription
from deepgbass.model_card import __main__ as command
from deepgbass.model_card.card import model_card
from deepgbass.model_card.origin import find_row, published

CONFIG = row_configs("camvid", ["train.init_weights=some/mnet.tflite"])[
    "full_64"
]


def describe(**changed):
    values = {
        "name": "camvid",
        "quantization": "int8",
        "metrics": {"float": metrics(0.51, 0.4), "int8": metrics(0.5, 0.39)},
        "dataset": json.loads(CAMVID.to_json()),
        "config": json.loads(CONFIG.to_json()),
        "step": 5600,
        "versions": {"python": "3.11"},
        **changed,
    }
    return ModelDescription(
        CAMVID, (368, 480), None, 128, "logits", (92, 120), 4, False, values
    )


def test_the_card_says_what_its_reader_must_know():
    description = describe()
    inside = published(description.values)
    description = dataclasses.replace(description, values=inside)
    card = model_card(description, 3_100_000, "model_int8.tflite")
    for words in (
        "# camvid: MNEdge + DGD-64",
        "3.10 MB, int8",
        "bicyclist",
        "368x480",
        "logits 92x120",
        "--model=model_int8.tflite",
        "| camvid | int8 | 0.500 | 0.390 |",
        "camvid, split val, 101 images",
        "mnet.tflite (backbone)",
        "CamVid is for research",
        "Apache-2.0",
        "## Intended use",
        # The least first; a class that was not measured is not among them.
        "Least IoU (int8): pole 10.0 %, road 90.0 %.",
        "Step 5600. With python 3.11.",
    ):
        assert words in " ".join(card.split()), words
    # Where the file lay is nobody else's business.
    assert "some/" not in card + json.dumps(inside)


def test_fine_tuning_is_told():
    tuned = describe(qat={"steps": 300, "learning_rate": 1e-4})
    card = " ".join(model_card(tuned, 1, "m.tflite").split())
    assert "Then 300 steps of fine-tuning" in card and "0.0001" in card


def test_several_seeds_and_costs_come_from_the_table(tmp_path):
    for seed, miou in ((0, 0.5), (1, 0.6)):
        write_trial(tmp_path, "full_64", seed, {"float": (miou, 0.4)})
    (row,) = write_table(tmp_path)["rows"]
    card = model_card(describe(), 1, "m.tflite", row)
    assert "One of 2 trainings" in card and "55.00 ± 7.07" in card
    assert "| 2.00" in card
    row = row | {"seeds": [0]}
    card = model_card(describe(), 1, "m.tflite", row)
    assert "trainings that differ" not in card and "| 2.00" in card


def test_a_model_without_metrics_has_no_card():
    with pytest.raises(UserError, match="export_tflite.py"):
        model_card(describe(metrics={}), 1, "m.tflite")


def test_the_row_must_be_the_model_s(tmp_path):
    # The table may have been made where the weights lay elsewhere.
    words = ["train.init_weights=other/mnet.tflite"]
    for key in ("full_64", "baseline"):
        write_trial(tmp_path, key, 0, {"float": (0.5, 0.4)}, words=words)
    table = write_table(tmp_path, words=words)
    assert find_row(table, "full_64", CONFIG)["key"] == "full_64"
    others = [
        ("baseline", [], "model.decoder"),
        ("dgd", [], "no such"),
        ("full_64", ["loss.name=sbl"], "loss.name"),
        ("full_64", ["train.steps=100"], "train.steps"),
        ("full_64", ["data.crop_size=64,64"], "data.crop_size"),
        ("full_64", ["train.seed=3"], "seeds .0., .* 3"),
    ]
    for key, changes, named in others:
        with pytest.raises(UserError, match=named):
            find_row(table, key, CONFIG.with_overrides(changes))


def test_another_readme_is_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "read_description", lambda _: describe())
    model = tmp_path / "m.tflite"
    model.write_bytes(b"TFL3")
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("mine")
    with (
        defined_flags(command, output_dir=str(out)),
        pytest.raises(UserError, match="not this model's card"),
    ):
        command.main(["model_card", str(model)])
    assert (out / "README.md").read_text() == "mine"


def test_a_missing_model_is_named(tmp_path):
    missing = tmp_path / "model_int8.tflite"
    with (
        defined_flags(command, output_dir=str(tmp_path / "out")),
        pytest.raises(UserError, match="model_int8.tflite cannot be read"),
    ):
        command.main(["model_card", str(missing)])
    assert not (tmp_path / "out").exists()

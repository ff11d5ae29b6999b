"""The models in the repository: they run, and their cards are theirs."""

import numpy as np
import PIL.Image
import pytest
from conftest import ROOT

from deepgbass.ablation.table_file import read_table
from deepgbass.export.description import read_description
from deepgbass.metrics.mean_iou import MeanIoU
from deepgbass.model_card.card import model_card
from deepgbass.model_card.origin import config_of, find_row
from deepgbass.predictors import load_predictor

MODELS = sorted((ROOT / "pretrained").glob("*/*.tflite"))


def test_there_is_one():
    assert MODELS


@pytest.mark.parametrize("path", MODELS, ids=[m.parent.name for m in MODELS])
def test_a_model_is_small_and_segments_any_image(path):
    assert path.stat().st_size <= 5e6
    predictor = load_predictor(path)
    image = np.random.default_rng(0).integers(0, 256, (97, 131, 3), np.uint8)
    labels = predictor(image)
    assert labels.shape == image.shape[:2]
    assert 0 <= labels.min() <= labels.max() < predictor.info.num_classes


def test_camvid_s_knows_streets(shared):
    folder = shared / "data/camvid"
    (path,) = (p for p in MODELS if p.parent.name == "camvid")
    predictor, measured = load_predictor(path), MeanIoU(11, 11)
    for label_path in sorted((folder / "labels/val").iterdir())[::25]:
        image_path = folder / "images/val" / f"{label_path.stem}.jpg"
        image = np.asarray(PIL.Image.open(image_path).convert("RGB"))
        measured.update(
            np.asarray(PIL.Image.open(label_path)), predictor(image)
        )
    assert measured.result().miou > 0.5


@pytest.mark.parametrize("path", MODELS, ids=[m.parent.name for m in MODELS])
def test_a_card_is_made_from_the_model_and_its_table(path):
    description = read_description(path)
    config = config_of(description.values)
    table = read_table(ROOT / "results" / path.parent.name / "table.json")
    row = find_row(table, "full_64", config)
    card = model_card(description, path.stat().st_size, path.name, row)
    assert card == path.with_name("README.md").read_text()
    form = description.values["quantization"]
    found = description.values["metrics"][form]["miou"]
    assert found in row["forms"][form]["miou"]["values"]

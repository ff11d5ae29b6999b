"""Labels, times and agreement of the models, one image at a time."""

import base64
import io
import threading
import time
import types
import zlib

import numpy as np
import pytest
from edgetpu_stand_in import (
    SIZE,
    build_library,
    description,
    write_model,
    write_pair,
)
from PIL import Image

from deepgbass.demo import segmenting
from deepgbass.demo.facts import page_facts
from deepgbass.demo.segmenting import PHASES, Demo, agreement, run
from deepgbass.errors import UserError
from deepgbass.export.description import parse
from deepgbass.ondevice.predictor import OnDevicePredictor, open_predictor

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)


@pytest.fixture
def models(tmp_path):
    """The same network in two types."""
    for name, dtype in (("one", "int8"), ("two", "float32")):
        write_model(tmp_path / f"{name}.tflite", dtype=dtype)
    return [
        open_predictor(tmp_path / f"{name}.tflite").model
        for name in ("one", "two")
    ]


def encoded(pixels=PIXELS):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("size", [SIZE, (5, 5), (30, 50), (1, 200)])
def test_labels_are_those_of_the_predictor(models, size):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    labels, seconds = run(models[0], image)
    assert labels.shape == size and labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, OnDevicePredictor(models[0])(image))
    assert tuple(seconds) == PHASES and min(seconds.values()) > 0


def test_all_that_the_page_needs_comes_back(models):
    found = Demo(models).segment(encoded())
    assert (found["width"], found["height"]) == (50, 30)
    assert found["preview"].startswith("data:image/jpeg;base64,")
    assert found["agreement"] == 1.0
    for model, one in zip(models, found["models"], strict=True):
        labels, _ = run(model, PIXELS)
        ids = zlib.decompress(base64.b64decode(one["labels"]))
        assert ids == labels.tobytes()
        png = Image.open(io.BytesIO(base64.b64decode(one["png"])))
        assert png.mode == "L"
        np.testing.assert_array_equal(np.asarray(png), labels)
        assert set(one["milliseconds"]) == set(PHASES)


def test_agreement_is_a_share_of_the_pixels(models):
    one, other = np.zeros((2, 4), int), np.array([[0, 0, 1, 2], [0, 0, 0, 0]])
    assert agreement(models, [one, other]) == 0.75
    assert agreement(models[:1], [one]) is None


def test_other_classes_are_not_compared(models):
    values = description()
    values["dataset"]["class_names"] = ["sky", "car", "road"]
    models[1].description = parse(values)
    assert Demo(models).segment(encoded())["agreement"] is None


def test_a_class_without_a_name_is_an_error():
    model = types.SimpleNamespace(
        path="m.tflite",
        description=parse(description(output="full")),
        output="full",
        set_input=lambda image: None,
        invoke=lambda: None,
        get_output=lambda: np.full(SIZE, 3),
    )
    with pytest.raises(UserError, match="class ids from 3 to 3.*3 classes"):
        run(model, np.zeros((*SIZE, 3), np.uint8))


def test_one_image_runs_at_a_time(models, monkeypatch):
    demo = Demo(models)
    busy, most = 0, 0

    def slow_run(model, image):
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        time.sleep(0.02)
        busy -= 1
        return run(model, image)

    monkeypatch.setattr(segmenting, "run", slow_run)
    visitors = [
        threading.Thread(target=demo.segment, args=[encoded()])
        for _ in range(4)
    ]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert most == 1


def test_closing_waits_for_the_image_at_hand(models):
    demo = Demo(models)
    demo.close()
    began = time.monotonic()
    # Whoever comes now finds it taken; nobody waits for ever.
    demo.close(patience=0.05)
    assert 0.05 <= time.monotonic() - began < 5


def facts_of(models, **values):
    for model in models:
        model.description.values.update(values)
    return page_facts(models, "runtime 1", ["a note"])


def test_the_page_tells_what_the_model_says(models):
    metrics = {
        "float": {"miou": 0.5, "mbf": 0.25, "split": "val", "images": 7},
        "int8": {"miou": 0.49, "split": "val"},
    }
    found = facts_of(models, metrics=metrics, step=1500, versions={"numpy": 2})
    one, two = found["models"]
    assert (one["name"], two["name"]) == ("one.tflite", "two.tflite")
    facts = dict(one["facts"])
    assert facts["runs on"] == "the CPU, runtime 1"
    assert facts["data set"] == "toy, 3 classes"
    assert facts["input"] == "12 x 8 pixels RGB, int8"
    assert facts["trained"] == "1,500 steps"
    assert facts["made with"] == "numpy 2"
    assert [known["name"] for known in one["classes"]] == ["road", "car", "sky"]
    assert one["metrics"]["head"] == ["metric", "float", "int8"]
    assert one["metrics"]["rows"] == [
        ["mIoU", "50.00 %", "49.00 %"],
        ["mBF 0.75 %", "25.00 %", ""],
        ["measured on", "val, 7 images", "val"],
    ]
    assert found["notes"] == ["a note"] and found["phases"] == list(PHASES)


@pytest.mark.parametrize("junk", [None, 3, "text", [1], {"a": [1]}])
def test_what_nobody_checked_does_no_harm(models, junk):
    keys = ("metrics", "step", "versions", "compiled", "config", "name")
    found = facts_of(models, **dict.fromkeys(keys, junk))
    for model in found["models"]:
        assert all(type(text) is str for _, text in model["facts"])
        assert not model["metrics"]["rows"]


def test_files_of_one_name_are_told_apart(tmp_path):
    paths = [tmp_path / folder / "toy.tflite" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        write_model(path)
    models = [open_predictor(path).model for path in paths]
    found = page_facts(models, "runtime 1")["models"]
    names = [model["name"] for model in found]
    assert names == ["a/toy.tflite", "b/toy.tflite"]


def test_a_compiled_model_runs_on_the_edge_tpu(tmp_path):
    library = build_library(tmp_path)
    compiled = write_pair(tmp_path)
    model = open_predictor(compiled, library=str(library)).model
    assert Demo([model]).segment(encoded())["models"]
    facts = dict(page_facts([model], "runtime 1")["models"][0]["facts"])
    assert facts["runs on"].startswith("an Edge TPU (")

"""The commands as a user runs them, one after the other, on a tiny set."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from tiny import tiny_config, write_tiny

pytestmark = pytest.mark.slow


def run(*words):
    result = subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_train_evaluate_export_predict(tmp_path):
    data_dir = write_tiny(tmp_path / "data")
    workdir, exports = tmp_path / "run", tmp_path / "exports"
    config = tmp_path / "tiny.json"
    config.write_text(tiny_config(steps=2).to_json())
    data = f"--data_dir={data_dir}"

    output = run("train.py", f"--config={config}", f"--workdir={workdir}", data)
    assert "mIoU" in output and str(workdir / "report.html") in output
    metrics = json.loads((workdir / "metrics.json").read_text())
    assert {"miou", "mbf", "tolerance", "per_class"} <= set(metrics)
    assert (metrics["split"], metrics["step"]) == ("val", 2)
    assert "<html" in (workdir / "report.html").read_text()

    # A finished run can be measured on any split, and is not trained again.
    run(
        "train.py",
        f"--workdir={workdir}",
        "--mode=eval",
        "--set",
        "data.eval_split=train",
        data,
    )
    metrics = json.loads((workdir / "metrics.json").read_text())
    assert (metrics["split"], metrics["images"]) == ("train", 4)

    output = run(
        "export_tflite.py",
        f"--workdir={workdir}",
        f"--output_dir={exports}",
        data,
    )
    assert "float" in output and "int8" in output

    photo = tmp_path / "grüne straße.png"
    pixels = np.random.default_rng(0).integers(0, 256, (70, 50, 3), np.uint8)
    Image.fromarray(pixels).save(photo)
    for model in (workdir, exports / "model_int8.tflite"):
        overlays = tmp_path / f"overlays of {model.name}"
        run(
            "-m",
            "deepgbass.predict",
            f"--model={model}",
            f"--output_dir={overlays}",
            photo,
        )
        overlay = Image.open(overlays / "grüne straße_overlay.png")
        assert overlay.size == (50, 70)


TINY = (
    "train.steps=2",
    "train.warmup_steps=1",
    "train.batch_size=2",
    "model.depth_multiplier=0.1",
    "model.aspp_channels=8",
    "model.decoder_channels=8",
)


def test_ablation_compares_its_rows(tmp_path):
    results = tmp_path / "new" / "results"
    output = run(
        "-m",
        "deepgbass.ablation",
        "--table=demo",
        f"--workdir={tmp_path / 'runs'}",
        f"--results={results}",
        *[part for word in TINY for part in ("--set", word)],
    )
    report = tmp_path / "runs" / "report.html"
    assert output.rstrip().endswith(str(report))
    assert output.count("mBF 0.75 %") == 1
    page = report.read_text()
    table = json.loads((results / "table.json").read_text())
    assert [row["name"] for row in table["rows"]] == ["DeepLab", "DeepGBASS"]
    for row in table["rows"]:
        assert row["name"] in page
        assert set(row["forms"]) == {"float", "int8"}
        assert row["latency_ms"]["int8"] > 0
        trial = results / row["key"] / "seed0"
        kept = {path.name for path in trial.iterdir()}
        assert {"config.json", "history.jsonl", "log.txt", "trial.json"} <= kept
        found = json.loads((trial / "trial.json").read_text())["metrics"]
        assert found["float"]["images"] == found["int8"]["images"] == 40
        assert row["miou"] == found["float"]["miou"]
    assert (tmp_path / "runs" / "table.md").read_text() in output
    figures = tmp_path / "figures"
    output = run(
        "-m",
        "deepgbass.figures",
        f"--workdir={tmp_path / 'runs'}",
        f"--output_dir={figures}",
        "--inset_classes=pole,ring",
    )
    for name in ("comparison.png", "distance.png"):
        with Image.open(figures / name) as picture:
            assert min(picture.size) > 100
        assert str(figures / name) in output

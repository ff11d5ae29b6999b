"""Tables and reports of runs."""

import re

import pytest
from tiny import SIZE, tiny_config, write_tiny

from deepgbass.data.pipeline import load_dataset
from deepgbass.evaluation.evaluator import evaluate
from deepgbass.experiment import make_model
from deepgbass.losses import SBALoss
from deepgbass.predictors import KerasPredictor
from deepgbass.reports.history import History
from deepgbass.reports.report import Progress
from deepgbass.reports.run_report import Run, report_progress, report_runs
from deepgbass.reports.run_tables import (
    conditions,
    markdown_table,
    print_metrics,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return load_dataset(write_tiny(tmp_path_factory.mktemp("data")), "val")


def test_a_perfect_predictor_scores_one(dataset):
    labels = iter([example["label"] for example in dataset.examples()])

    def predict(image):
        label = next(labels).copy()
        label[label == 255] = 0
        return label

    metrics = evaluate(predict, dataset)
    for name in ("miou", "mbf", "mbf_3px", "mbf_1px", "pixel_accuracy"):
        assert metrics[name] == 1.0
    assert metrics["images"] == 2 and metrics["split"] == "val"
    assert "0.75" in metrics["tolerance"] and metrics["mbf_rule"]


def test_tables_have_a_row_for_each_network_and_form(capsys):
    metrics = {
        "miou": 0.25,
        "mbf": None,
        "mbf_3px": 0.5,
        "mbf_1px": 0.125,
        "pixel_accuracy": 1.0,
        "mbf_rule": "union/image",
        "biou": 0.75,
        "biou_rule": "2 % diag",
        "bands": [{"width": 4, "miou": 0.625}],
        "bands_rule": "near",
        "borders": [],
        "borders_rule": "worst",
        "dataset": "set",
        "split": "val",
        "images": 3,
    }
    results = {"a": {"float": metrics, "int8": metrics}}
    lines = markdown_table(results).splitlines()
    assert lines[2] == "| a | float | 0.250 | - | 0.500 | 0.125 | 1.000 |"
    assert lines[4:] == ["", "set, split val, 3 images. mBF: union/image"]
    print_metrics(results)
    output = capsys.readouterr().out
    assert "0.125" in output and "union/image" in output
    assert "0.750" in output and "2 % diag" in output
    assert "0.625" in output and "4 px" in output


def test_protocol_and_excluded_classes_stand_beside_the_numbers():
    words = conditions(
        {
            "dataset": "ade20k32",
            "protocol": "mlperf",
            "split": "val",
            "images": 3,
            "excluded": ["other"],
            "mbf_rule": "union/image",
        }
    )
    assert "protocol mlperf, without other." in words


@pytest.mark.slow
def test_report_of_two_runs_shows_both(dataset, tmp_path):
    runs = []
    for name in ("baseline", "ours"):
        workdir = tmp_path / name
        history = History(workdir / "history.jsonl")
        for step in (1, 2):
            history.write(step, {"total": 1 / step, "learning_rate": 0.1})
        (workdir / "config.json").write_text(tiny_config().to_json())
        model = make_model(tiny_config().model, 6, SIZE)
        predictor = KerasPredictor(model, dataset.info)
        metrics = evaluate(predictor, dataset)
        runs.append(Run(name, workdir, predictor, {"float": metrics}))
    report_runs(tmp_path / "report.html", "Two runs", runs, dataset)
    page = (tmp_path / "report.html").read_text()
    for text in (
        "Two runs",
        "baseline",
        "ours",
        "training loss",
        "boundary errors",
    ):
        assert text in page
    for name in dataset.info.class_names:
        assert name in page
    # mIoU and mBF have their highest values in bold.
    table = page.split("<h3>Metrics</h3>")[1].split("</table>")[0]
    bold = re.findall(r'class="number best">([\d.]+)<', table)
    for key in ("miou", "mbf"):
        best = max(run.metrics["float"][key] for run in runs)
        assert f"{best:.3f}" in bold


@pytest.mark.slow
def test_the_report_at_the_end_replaces_that_under_way(dataset, tmp_path):
    path, config = tmp_path / "report.html", tiny_config()
    (tmp_path / "config.json").write_text(config.to_json())
    history = History(tmp_path / "history.jsonl")
    for step in (1, 2):
        history.write(step, dict.fromkeys(SBALoss.parts, 1 / step))
    history.write(2, {"miou": 0.25, "mbf": 0.125})
    report_progress(
        path, tmp_path, Progress(2, 6), name="tiny", info=dataset.info
    )
    page = path.read_text()
    assert "tiny, under way" in page and "<h3>mean w</h3>" in page
    for name in ("SBL-WCE", "SBL, L1", "SBL, L2"):
        assert name in page
    assert "mIoU at step 2" in page and "0.125" in page
    # One evaluation is a number, but no curve.
    assert "<h3>mIoU</h3>" not in page

    model = make_model(config.model, 6, SIZE)
    predictor = KerasPredictor(model, dataset.info)
    metrics = {"step": 6, **evaluate(predictor, dataset)}
    run = Run("tiny", tmp_path, predictor, {"float": metrics})
    report_runs(path, "tiny at step 6", [run], dataset)
    page = path.read_text()
    assert "under way" not in page and 'http-equiv="refresh' not in page
    assert "<h3>mIoU</h3>" in page and "w: weight in SBL-WCE" in page

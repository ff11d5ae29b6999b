"""The evaluator, on label maps in memory."""

import dataclasses
import json
import threading

import numpy as np
import pytest
from blocks import INFO, PAIRS, Blocks, predict

from deepgbass.errors import UserError
from deepgbass.evaluation import evaluator as evaluation
from deepgbass.evaluation.evaluator import evaluate
from deepgbass.metrics.boundary_f1 import boundary_f1
from deepgbass.metrics.boundary_iou import BoundaryIoU
from deepgbass.metrics.distance_bands import DistanceBands
from deepgbass.metrics.mean_iou import MeanIoU
from deepgbass.metrics.pair_confusion import PairConfusion
from deepgbass.reports.run_tables import markdown_table, print_metrics


def test_equals_the_metrics_one_by_one():
    result = evaluate(predict, Blocks(), max_images=1)
    (label, prediction), count = PAIRS[0], 5
    found = {}
    for metric in (
        MeanIoU(count),
        BoundaryIoU(count),
        DistanceBands(count),
        PairConfusion(count),
    ):
        metric.update(label, prediction)
        found[type(metric)] = metric.result()
    assert result["miou"] == found[MeanIoU].miou
    assert result["biou"] == found[BoundaryIoU].biou
    assert result["mbf"] == boundary_f1(label, prediction, count).mbf
    bands = found[DistanceBands]
    assert [b["width"] for b in result["bands"]] == [1, 2, 4, 8, 16]
    assert [b["miou"] for b in result["bands"]] == list(bands.miou)
    worst, border = result["borders"][0], found[PairConfusion].borders[0]
    assert worst["classes"] == [INFO.class_names[i] for i in border.classes]
    assert (worst["length"], worst["met"]) == (border.length, border.met)
    assert worst["instead"][0]["length"] == border.instead[0][1]
    assert (result["images"], result["excluded"]) == (1, [])


def test_the_number_of_workers_changes_nothing():
    results = [
        evaluate(predict, Blocks(), workers=workers)
        for workers in (None, 1, 2, 5)
    ]
    assert all(result == results[0] for result in results)
    assert results[0] != evaluate(predict, Blocks(), max_images=8)


def test_rule_and_tolerance_stand_beside_every_number():
    result = evaluate(predict, Blocks())
    definitions = result["mbf_definitions"]
    assert list(definitions) == ["mbf", "mbf_3px", "mbf_1px"]
    words = "inner4, nearest <= 3 px, union/image, ignore cleared"
    assert definitions["mbf_3px"]["words"] == words
    assert definitions["mbf"]["tolerance"]["value"] == 0.0075
    assert definitions["mbf"]["rule"]["absent"] == "union"
    assert "2 % diag (1 px)" in result["biou_rule"]
    assert "Euclidean" in result["bands_rule"]
    assert "0.75 % diag" in result["borders_rule"]


def test_json_holds_it_with_none_for_what_cannot_be_measured():
    result = evaluate(predict, Blocks())
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    never = {"name": "bus", "iou": None, "bf": None, "biou": None}
    assert result["per_class"][-1] == never
    assert None not in result["per_class"][0].values()


def test_an_ignored_class_enters_no_mean():
    info = dataclasses.replace(INFO, ignore_label=3)
    result = evaluate(predict, Blocks(info))
    assert result["excluded"] == ["tree"]
    scores = [entry["iou"] for entry in result["per_class"]]
    assert result["miou"] == pytest.approx(np.mean(scores[:3]))


def test_a_class_named_other_gives_a_second_mean(capsys):
    assert "miou_without_other" not in evaluate(predict, Blocks())
    names = ("other", *INFO.class_names[1:])
    info = dataclasses.replace(INFO, class_names=names, protocol="paper")
    result = evaluate(predict, Blocks(info))
    metric = MeanIoU(5, excluded=(0,))
    for pair in PAIRS:
        metric.update(*pair)
    assert result["miou_without_other"] == metric.result().miou
    assert result["miou_without_other"] != result["miou"]
    assert result["protocol"] == "paper"
    print_metrics({"ours": {"float": result}})
    assert f"{result['miou_without_other']:.3f}" in capsys.readouterr().out


def test_the_predictor_runs_here_and_images_do_not_pile_up(monkeypatch):
    predicted, ahead, measured_in = [], [], set()

    class Watched(MeanIoU):
        def measure(self, label, prediction):
            measured_in.add(threading.get_ident())
            return super().measure(label, prediction)

        def add(self, confusion):
            super().add(confusion)
            ahead.append(len(predicted) - len(ahead) - 1)

    def watched(image):
        predicted.append(threading.get_ident())
        return predict(image)

    monkeypatch.setattr(evaluation, "MeanIoU", Watched)
    evaluate(watched, Blocks(), workers=1)
    here = {threading.get_ident()}
    assert set(predicted) == here and not measured_in & here
    # An image is added before a third later one is predicted.
    assert len(ahead) == len(PAIRS) and max(ahead) <= 2


def test_metrics_run_while_the_next_image_is_predicted(monkeypatch):
    measuring, predicting = threading.Event(), threading.Event()

    class Waiting(MeanIoU):
        def measure(self, label, prediction):
            measuring.set()
            assert predicting.wait(20)
            return super().measure(label, prediction)

    def second_waits(image):
        if image[0, 0, 0] == 1:
            predicting.set()
            assert measuring.wait(20)
        return predict(image)

    monkeypatch.setattr(evaluation, "MeanIoU", Waiting)
    result = evaluate(second_waits, Blocks(), max_images=2, workers=1)
    assert result["images"] == 2


def test_what_was_measured_before_a_failure_is_given():
    def third_fails(image):
        if image[0, 0, 0] == 2:
            raise UserError("unplugged")
        return predict(image)

    kept, given = [], []
    images = evaluation.measure_images(
        third_fails,
        Blocks(),
        range(5),
        evaluation.make_metrics(INFO),
        keep=lambda index, name, prediction: kept.append((index, name)),
    )
    with pytest.raises(UserError, match="unplugged"):
        for index, name, parts in images:
            given.append((index, name))
            assert len(parts) == 5
    assert given == sorted(kept) == [(0, "block0.png"), (1, "block1.png")]


def test_bad_input_names_the_image():
    with pytest.raises(UserError, match="^block0.png: prediction holds id 9"):
        evaluate(lambda image: PAIRS[0][0] * 0 + 9, Blocks())
    with pytest.raises(UserError, match=r"^block1.png: label is \(25, 31\)"):
        evaluate(lambda image: PAIRS[0][1], Blocks())
    for name in ("max_images", "workers"):
        with pytest.raises(UserError, match=f"{name} is 0; it must be 1"):
            evaluate(predict, Blocks(), **{name: 0})


def test_the_printed_tables_fit_a_screen(capsys):
    result = evaluate(predict, Blocks())
    print_metrics({"ours": {"float": result, "int8": result}})
    output = capsys.readouterr().out
    lines = output.splitlines()
    assert len(lines) <= 24
    assert "inner4, nearest, union/image, ignore cleared" in output
    distances = "< 0.75 % diag, <= 3 px, <= 1 px"
    assert distances in output
    assert distances in markdown_table({"ours": {"float": result}})
    worst = " | ".join(result["borders"][0]["classes"])
    assert worst in output and f"{result['biou']:.3f}" in output

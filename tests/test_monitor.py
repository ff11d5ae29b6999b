"""What can be seen of a run while it trains, and after it resumed."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)
from tiny import SIZE, tiny_config, write_tiny

from deepgbass.data.pipeline import load_dataset
from deepgbass.evaluation.evaluator import evaluate
from deepgbass.losses import IgnoreCrossentropy, SBALoss
from deepgbass.predictors import Predictor
from deepgbass.reports.history import read_curves
from deepgbass.training import run_log
from deepgbass.training.monitor import Monitor

CONFIG = tiny_config(steps=6)
PICTURES = {"overlay", "boundary_errors", "input", "truth"}


class Brightness(Predictor):
    """Tells classes by brightness."""

    def logits(self, image):
        grey = tf.cast(image, tf.float32)[None, ::4, ::4, :1] / 50
        return -tf.abs(grey - np.arange(6, dtype=np.float32))


def evaluate_run(run, step, meter):
    """Measures and shows, as the loop does."""
    metrics = run.measure(step, meter)
    run.show(step, metrics)
    return metrics


class Meter:
    """Measures it; `scores` replace what it measured."""

    def __init__(self, dataset):
        self.predictor = Brightness(dataset.info, SIZE)
        self.dataset = dataset
        self.scores = {}

    def __call__(self):
        return evaluate(self.predictor, self.dataset) | self.scores


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = write_tiny(tmp_path_factory.mktemp("data"), train=1, val=5)
    return load_dataset(folder, "val")


@pytest.fixture
def workdir(tmp_path):
    (tmp_path / "config.json").write_text(CONFIG.to_json())
    return tmp_path


def open_monitor(workdir, dataset, step=0, evaluated=True, loss=None):
    loss = loss or IgnoreCrossentropy()
    return Monitor(CONFIG, workdir, step, evaluated, dataset, loss)


def values(step):
    return {"total": 2 / step, "ce": 1 / step, "learning_rate": 0.1}


def read_events(workdir):
    """Tag -> list of (step, tensor), as TensorBoard finds them."""
    events = EventAccumulator(
        str(workdir / "tensorboard"), size_guidance={"tensors": 0}
    )
    events.Reload()
    return {
        tag: [
            (event.step, tf.make_ndarray(event.tensor_proto))
            for event in events.Tensors(tag)
        ]
        for tag in events.Tags()["tensors"]
    }


def test_scalars_are_apart_and_none_is_double_after_a_resume(workdir, dataset):
    meter = Meter(dataset)
    with open_monitor(workdir, dataset) as run:
        for step in (1, 2, 3):
            run.log(step, values(step))
        first = evaluate_run(run, 3, meter)
    # As if killed: the newest checkpoint is that of step 2.
    with open_monitor(workdir, dataset, step=2) as run:
        for step in (3, 4):
            run.log(step, values(10 * step))
        evaluate_run(run, 4, meter)
        run.flush()
    events = read_events(workdir)
    assert [step for step, _ in events["train/ce"]] == [1, 2, 3, 4]
    found = [float(value) for _, value in events["train/total"]]
    np.testing.assert_allclose(found, [2, 1, 2 / 30, 2 / 40], rtol=1e-6)
    assert "train/images_per_second" in events
    assert [step for step, _ in events["eval/miou"]] == [4]
    assert float(events["eval/mbf"][0][1]) == pytest.approx(first["mbf"])
    curves = read_curves(workdir / "history.jsonl")
    assert [step for step, _ in curves["ce"]] == [1, 2, 3, 4]
    assert curves["miou"] == [(4, first["miou"])]


def test_pictures_of_fixed_images_and_their_truth_once(
    workdir, dataset, monkeypatch
):
    monkeypatch.setattr(run_log, "LONGEST", 32)
    with open_monitor(workdir, dataset) as run:
        for step in (2, 4):
            evaluate_run(run, step, Meter(dataset))
    # A resume is no reason to draw them again.
    with open_monitor(workdir, dataset, step=4) as run:
        evaluate_run(run, 5, Meter(dataset))
    pictures = {
        tuple(tag.split("/")[1:]): images
        for tag, images in read_events(workdir).items()
        if tag.count("/") == 2
    }
    assert {kind for kind, _ in pictures} == PICTURES
    names = {name for _, name in pictures}
    assert len(names) == 4 and len(pictures) == 4 * len(PICTURES)
    for (kind, _), images in pictures.items():
        once = kind in ("input", "truth")
        assert [step for step, _ in images] == ([2] if once else [2, 4, 5])
        # Width, height, and one encoded picture a step.
        assert images[0][1][:2].tolist() == [b"32", b"24"]


@pytest.mark.slow
def test_the_weights_of_sbal_are_shown(workdir, dataset):
    with open_monitor(workdir, dataset, loss=SBALoss()) as run:
        evaluate_run(run, 2, Meter(dataset))
    pictures = [
        tf.io.decode_image(images[0][1][2]).numpy()
        for tag, images in read_events(workdir).items()
        if tag.startswith("eval/w/")
    ]
    assert len(pictures) == 4
    for picture in pictures:
        assert picture.shape == (*SIZE, 3)
        # Dark where all is well, bright where a boundary was missed.
        assert picture.sum(-1).min() < 30 and picture.sum(-1).max() > 300


def test_the_report_shows_the_run_under_way(workdir, dataset):
    path = workdir / "report.html"
    with open_monitor(workdir, dataset) as run:
        for step in (1, 2):
            run.log(step, values(step))
        run.refresh(2)
        early = path.read_text()
        assert "step 2 of 6" in early and "training loss" in early
        assert '<meta http-equiv="refresh" content="60">' in early
        assert "mIoU" not in early
        # Reports may not take more than a small share of the time.
        run.log(3, values(3))
        run.refresh(3)
        assert path.read_text() == early
        evaluate_run(run, 3, Meter(dataset))
    page = path.read_text()
    for text in ("step 3 of 6", "mIoU at step 3", "Classes", "boundary errors"):
        assert text in page
    assert page.count("<img") == 4 * 4
    assert "<script" not in page and 'src="http' not in page


def test_an_evaluation_is_a_line_with_the_best_so_far(workdir, dataset, capsys):
    meter = Meter(dataset)
    with open_monitor(workdir, dataset) as run:
        for step, miou, mbf in ((2, 0.5, 0.25), (4, 0.375, None)):
            meter.scores = {"miou": miou, "mbf": mbf}
            evaluate_run(run, step, meter)
    # The best is known after a resume, too.
    with open_monitor(workdir, dataset, step=4) as run:
        meter.scores = {"miou": 0.125, "mbf": 0.75}
        evaluate_run(run, 6, meter)
    lines = [
        line
        for line in capsys.readouterr().out.splitlines()
        if "evaluation at" in line
    ]
    assert [line.rpartition(" · ")[0] for line in lines] == [
        "evaluation at step 2/6 · mIoU 0.500 (best) · mBF 0.250 (best)",
        "evaluation at step 4/6 · mIoU 0.375 (best 0.500 at 2) · mBF -",
        "evaluation at step 6/6 · mIoU 0.125 (best 0.500 at 2) · "
        "mBF 0.750 (best)",
    ]
    assert all(line.endswith(" s") for line in lines)


def test_an_evaluation_that_is_repeated_is_shown_once(workdir, dataset):
    with open_monitor(workdir, dataset) as run:
        run.log(2, values(2))
        evaluate_run(run, 2, Meter(dataset))
    with open_monitor(workdir, dataset, step=2, evaluated=False) as run:
        evaluate_run(run, 2, Meter(dataset))
    for tag, found in read_events(workdir).items():
        assert [step for step, _ in found] == [2], tag
    assert len(read_curves(workdir / "history.jsonl")["miou"]) == 1


def test_numbers_alone_are_recorded_of_an_evaluation(workdir, dataset):
    with open_monitor(workdir, dataset) as run:
        metrics = evaluate_run(run, 1, Meter(dataset))
    numbers = {k for k, v in metrics.items() if isinstance(v, float)}
    assert {"miou", "mbf", "mbf_3px", "mbf_1px", "biou"} <= numbers
    curves = read_curves(workdir / "history.jsonl")
    assert set(curves) == numbers

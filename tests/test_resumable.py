"""An evaluation into a folder: the same numbers, killed or not."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT
from PIL import Image
from tiny import SIZE, write_tiny

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.synthetic import SYNTHETIC
from deepgbass.errors import UserError
from deepgbass.evaluation.candidate import Candidate
from deepgbass.evaluation.evaluator import evaluate
from deepgbass.evaluation.resumable import Options, evaluate_into
from deepgbass.evaluation.store import EvaluationStore
from deepgbass.lock import locked_folder
from deepgbass.predictors import Predictor

COUNT = 4


class Shades(Predictor):
    """Classes by brightness. Fails where it has predicted `last` images."""

    def __init__(self, info=SYNTHETIC, last=None):
        super().__init__(info, SIZE)
        self.calls, self.last = 0, last

    def logits(self, image):
        if self.calls == self.last:
            raise UserError("the device was unplugged")
        self.calls += 1
        grey = tf.cast(image[None, ..., :1], tf.float32) / 255
        centres = tf.linspace(0.2, 0.8, self.info.num_classes)
        return -tf.abs(grey - centres) * 9


def candidate(predictor, name="shades"):
    return Candidate(name, "float", predictor, {"file": name})


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "set"
    return str(write_tiny(folder, val=COUNT))


@pytest.fixture(scope="module")
def whole(data_dir):
    return evaluate(Shades(), load_dataset(data_dir, "val"))


def test_gives_what_evaluate_gives_and_writes_it(tmp_path, data_dir, whole):
    options = Options(data_dir)
    metrics = evaluate_into(tmp_path / "out", candidate(Shades()), options)
    assert metrics == metrics | whole
    assert metrics["model"] == "shades" and metrics["scales"] == [1.0]
    assert json.loads((tmp_path / "out/metrics.json").read_text()) == metrics
    page = (tmp_path / "out/report.html").read_text()
    assert "shades (float) on synthetic" in page
    assert f"{whole['per_class'][0]['biou']:.3f}" in page
    # Nothing else is left there, such as a lock.
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.json",
        "images.jsonl",
        "metrics.json",
        "report.html",
        "verified.json",
    }


def test_goes_on_where_it_failed(tmp_path, data_dir, whole):
    options = Options(data_dir, workers=1)
    with pytest.raises(UserError, match="unplugged") as error:
        evaluate_into(tmp_path, candidate(Shades(last=3)), options)
    assert f"3 of {COUNT} images are kept in {tmp_path}" in str(error.value)
    assert len(EvaluationStore(tmp_path)) == 3
    assert not (tmp_path / "metrics.json").exists()
    again = Shades()
    metrics = evaluate_into(tmp_path, candidate(again), options)
    assert metrics == metrics | whole
    # One for the metrics, and all four for the report's pictures.
    assert again.calls == 1 + COUNT


@pytest.mark.slow
def test_goes_on_where_it_was_killed(tmp_path, data_dir, whole):
    code = (
        "import os, signal\n"
        "from test_resumable import *\n"
        "class Killed(Shades):\n"
        "    def logits(self, image):\n"
        "        if self.calls == 3:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().logits(image)\n"
        f"options = Options({data_dir!r}, workers=1)\n"
        f"evaluate_into({str(tmp_path)!r}, candidate(Killed()), options)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code],
        cwd=pathlib.Path(__file__).parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    assert child.returncode == -signal.SIGKILL
    kept = len(EvaluationStore(tmp_path))
    assert 1 <= kept < COUNT
    again = Shades()
    metrics = evaluate_into(tmp_path, candidate(again), Options(data_dir))
    assert metrics == metrics | whole
    assert again.calls == COUNT - kept + COUNT


def test_more_images_are_added_to_the_first_ones(tmp_path, data_dir, whole):
    few = evaluate_into(
        tmp_path, candidate(Shades()), Options(data_dir, max_images=2)
    )
    assert few["images"] == 2 and len(EvaluationStore(tmp_path)) == 2
    metrics = evaluate_into(tmp_path, candidate(Shades()), Options(data_dir))
    assert metrics == metrics | whole
    # And fewer again, of those that are there.
    again = evaluate_into(
        tmp_path, candidate(Shades()), Options(data_dir, max_images=2)
    )
    assert again == few


def test_other_networks_data_and_ways_are_refused(tmp_path, data_dir):
    evaluate_into(tmp_path, candidate(Shades()), Options(data_dir))
    for other, options, named in (
        (candidate(Shades(), "b"), Options(data_dir), "model.file"),
        (candidate(Shades()), Options(data_dir, split="train"), "data.split"),
        (candidate(Shades()), Options(data_dir, flip=True), "prediction.flip"),
        (
            candidate(Shades()),
            Options(data_dir, scales=(1.0, 0.5)),
            "prediction.scales",
        ),
    ):
        with pytest.raises(UserError, match=f"differs in .*{named}"):
            evaluate_into(tmp_path, other, options)
    metrics = evaluate_into(
        tmp_path,
        candidate(Shades(), "b"),
        Options(data_dir, scales=(1.0, 0.5), flip=True, overwrite=True),
    )
    assert metrics["flip"] and metrics["images"] == COUNT
    text = "averaged over the scales 1, 0.5 and mirror images"
    assert text in (tmp_path / "report.html").read_text()


def test_predictions_are_saved_also_afterwards(tmp_path, data_dir, whole):
    evaluate_into(tmp_path, candidate(Shades()), Options(data_dir))
    options = Options(data_dir, save_predictions="train_ids")
    metrics = evaluate_into(tmp_path, candidate(Shades()), options)
    assert metrics == metrics | whole
    predict, dataset = Shades(), load_dataset(data_dir, "val")
    for example in dataset.examples():
        path = tmp_path / "train_ids" / example["filename"]
        np.testing.assert_array_equal(
            np.asarray(Image.open(path)), predict(example["image"])
        )
    # One that was removed is made again, and no other.
    path.unlink()
    again = Shades()
    evaluate_into(tmp_path, candidate(again), options)
    assert path.exists() and again.calls == 1 + COUNT


def test_classes_have_to_be_those_of_the_data(tmp_path, data_dir):
    names = SYNTHETIC.class_names
    for classes, named in (
        (names[:5], "5 and 6 classes"),
        (("ground", *names[1:]), "class 0 is 'ground' and 'background'"),
    ):
        other = candidate(Shades(DatasetInfo("streets", classes)))
        with pytest.raises(UserError, match=named):
            evaluate_into(tmp_path, other, Options(data_dir))
        with pytest.raises(UserError, match="of the data set streets: give"):
            evaluate_into(tmp_path, other, Options())


def test_splits_have_to_be_there_and_not_empty(tmp_path, data_dir):
    with pytest.raises(UserError, match="'test'; there: train, val"):
        evaluate_into(
            tmp_path / "out", candidate(Shades()), Options(data_dir, "test")
        )
    SYNTHETIC.save(tmp_path)
    (tmp_path / "val-00000-of-00001.tfrecord").write_bytes(b"")
    with pytest.raises(UserError, match="split 'val' is empty"):
        evaluate_into(
            tmp_path / "out", candidate(Shades()), Options(str(tmp_path))
        )


def test_only_one_evaluation_writes_to_a_folder(tmp_path, data_dir):
    with (
        locked_folder(tmp_path / ".evaluating", "evaluation"),
        pytest.raises(UserError, match="another evaluation writes here"),
    ):
        evaluate_into(tmp_path, candidate(Shades()), Options(data_dir))

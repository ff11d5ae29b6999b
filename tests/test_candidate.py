"""Networks to evaluate: work directories, `.tflite` files, Edge TPUs."""

import numpy as np
import pytest
from edgetpu_stand_in import (
    NAMES,
    SIZE,
    build_library,
    description,
    write_model,
    write_pair,
)
from tflite_files import Builder
from tiny import tiny_config

from deepgbass.data.synthetic import SYNTHETIC
from deepgbass.errors import UserError
from deepgbass.evaluation.candidate import open_candidate
from deepgbass.experiment import claim_workdir, make_model
from deepgbass.export.description import write_described
from deepgbass.training.checkpoints import Checkpoints

IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """With checkpoints of the steps 2, the best, and 4."""
    workdir = tmp_path_factory.mktemp("runs") / "demo"
    config = tiny_config(keep=4)
    workdir.mkdir()
    claim_workdir(config, SYNTHETIC, workdir)
    model = make_model(config.model, SYNTHETIC.num_classes, (48, 64))
    kept = Checkpoints(workdir, config)
    for step, score in ((2, 0.5), (4, 0.4)):
        for variable in model.trainable_variables:
            variable.assign_add(0.01 * np.ones(variable.shape))
        kept.save(step, {"model": model})
        kept.record({"miou": score, "mbf": score})
    return workdir


@pytest.fixture(scope="module")
def newest(workdir):
    return open_candidate(workdir)


def test_a_checkpoint_is_chosen(workdir, newest):
    best = open_candidate(workdir, "best")
    assert (newest.step, best.step) == (4, 2)
    assert (newest.name, newest.form) == ("demo", "float")
    assert newest.eval_split == "val"
    assert newest.identity["weights"] != best.identity["weights"]
    with pytest.raises(UserError, match="has no checkpoint 3"):
        open_candidate(workdir, "3")


def test_a_network_is_built_anew_for_each_scale(newest):
    assert newest.averaged((1.0,), False) is newest
    larger = newest.at_scale(1.2)
    assert larger.size == (64, 80)
    averaged = newest.averaged((0.5, 1.0), True)
    label = averaged.predictor(np.full((48, 64, 3), 90, np.uint8))
    assert label.shape == (48, 64) and averaged.identity == newest.identity


def test_a_file_is_known_by_its_content(tmp_path):
    write_model(tmp_path / "a.tflite")
    write_model(tmp_path / "b.tflite", dtype="uint8")
    first, second = (open_candidate(tmp_path / f"{n}.tflite") for n in "ab")
    assert first.name == "a" and first.identity["runs_on"] == "cpu"
    assert first.identity != second.identity
    (tmp_path / "moved").mkdir()
    moved = tmp_path / "moved" / "c.tflite"
    moved.write_bytes((tmp_path / "a.tflite").read_bytes())
    assert open_candidate(moved).identity == first.identity
    assert first.predictor(IMAGE).shape == SIZE


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return str(build_library(tmp_path_factory.mktemp("lib")))


def test_a_compiled_model_runs_on_the_edge_tpu(tmp_path, library):
    path = write_pair(tmp_path)
    candidate = open_candidate(path, library=library)
    assert candidate.form.endswith("Edge TPU")
    assert candidate.identity["runs_on"] == "edgetpu"
    assert candidate.predictor.info.class_names == NAMES
    # Its logits are the image's bytes less 128, in steps of 0.5 from 3 on.
    np.testing.assert_array_equal(
        candidate.predictor.logits(IMAGE)[0],
        0.5 * (IMAGE.astype(int) - 128 - 3),
    )
    np.testing.assert_array_equal(candidate.predictor(IMAGE), IMAGE.argmax(-1))
    twice = candidate.averaged((1.0,), True).predictor(IMAGE)
    np.testing.assert_array_equal(twice, IMAGE.argmax(-1))


def test_a_device_that_is_lost_is_named(tmp_path, library, monkeypatch):
    monkeypatch.setenv("STAND_IN", "lost:2")
    candidate = open_candidate(write_pair(tmp_path), library=library)
    candidate.predictor(IMAGE)
    with pytest.raises(UserError, match="the Edge TPU failed during an infer"):
        candidate.predictor(IMAGE)


def test_a_model_of_labels_cannot_be_averaged(tmp_path):
    builder = Builder()
    source = builder.image(1, *SIZE, 3)
    result = builder.tensor((1, *SIZE), "int32")
    options = ("ArgMaxOptions", {"outputType": 2})
    builder.op("ARG_MAX", [source, builder.ints(3)], [result], options=options)
    path = tmp_path / "labels.tflite"
    values = description(output="full", dtype="int32")
    write_described(path, builder.content(), values)
    candidate = open_candidate(path)
    np.testing.assert_array_equal(candidate.predictor(IMAGE), IMAGE.argmax(-1))
    with pytest.raises(UserError, match="gives full, and only logits"):
        candidate.averaged((1.0,), True)


def test_wrong_flags_and_files_are_refused(tmp_path, workdir):
    path = write_pair(tmp_path)
    twin = tmp_path / "toy.tflite"
    for arguments, named in (
        (dict(path=tmp_path / "no.tflite"), "neither a .tflite file nor"),
        (dict(path=twin, checkpoint="best"), "--checkpoint=best is for work"),
        (dict(path=twin, delegate="edgetpu"), "not compiled"),
        (dict(path=workdir, delegate="edgetpu"), "export and compile"),
        (dict(path=path, delegate="cpu"), "compiled for an Edge TPU"),
        (dict(path=path, library="nowhere.so"), "nowhere.so.*--library"),
    ):
        with pytest.raises(UserError, match=named) as error:
            open_candidate(**arguments)
        assert "\n" not in str(error.value)


def test_a_missing_description_is_named(tmp_path):
    builder = Builder()
    source = builder.image(1, *SIZE, 3)
    result = builder.tensor((1, *SIZE, 3), "int8")
    builder.op("RESHAPE", [source, builder.ints(1, *SIZE, 3)], [result])
    path = tmp_path / "bare.tflite"
    path.write_bytes(builder.content())
    with pytest.raises(UserError, match="bare.json beside it, and the model"):
        open_candidate(path)

"""The Edge TPU in a process of its own, whose end the caller survives."""

import gc

import numpy as np
import pytest
from edgetpu_stand_in import SIZE, build_library, write_model, write_pair

from deepgbass.errors import UserError
from deepgbass.ondevice.isolation import IsolatedModel, open_model
from deepgbass.ondevice.model import OnDeviceModel

IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return str(build_library(tmp_path_factory.mktemp("library")))


@pytest.fixture
def compiled(tmp_path):
    return write_pair(tmp_path)


def test_only_the_edge_tpu_gets_a_process(tmp_path, compiled, library):
    ours = open_model(tmp_path / "toy.tflite", library="nowhere.so")
    theirs = open_model(compiled, library=library)
    assert type(ours) is OnDeviceModel and type(theirs) is IsolatedModel
    np.testing.assert_array_equal(theirs(IMAGE), ours(IMAGE))
    theirs.set_input(IMAGE[::-1])
    theirs.invoke()
    np.testing.assert_array_equal(theirs.get_output(), ours(IMAGE[::-1]))
    for name in ("size", "output", "input_dtype", "output_dtype"):
        assert getattr(theirs, name) == getattr(ours, name)
    assert theirs.description.dataset == ours.description.dataset
    assert "RuntimeVersion(13)" in theirs.accelerator.version


@pytest.mark.parametrize(
    ("mode", "pattern"),
    [
        ("crash", "toy_edgetpu.*SIGSEGV while.*one version of TensorFlow"),
        ("no_device", "no Edge TPU could be opened"),
        ("version", "needs runtime 14"),
    ],
)
def test_what_does_not_open_is_explained(
    compiled, library, monkeypatch, mode, pattern
):
    monkeypatch.setenv("STAND_IN", mode)
    with pytest.raises(UserError, match=pattern) as caught:
        open_model(compiled, library=library)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "pattern"),
    [
        ("lost:3", "the Edge TPU failed during an inference"),
        ("abort:3", "SIGABRT during an inference: F driver/usb.*replug"),
    ],
)
def test_a_device_that_goes_away_is_explained_each_time(
    compiled, library, monkeypatch, mode, pattern
):
    monkeypatch.setenv("STAND_IN", mode)
    model = open_model(compiled, library=library)
    for _ in range(2):
        model(IMAGE)
    for _ in range(2):
        with pytest.raises(UserError, match=pattern):
            model(IMAGE)


def test_an_answer_that_was_not_waited_for_is_no_later_ones(
    compiled, library, monkeypatch
):
    model = open_model(compiled, library=library)

    def interrupted(stream):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("deepgbass.ondevice.isolation.pickle.load", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model(IMAGE)
    with pytest.raises(UserError, match="open it anew"):
        model(IMAGE[::-1])


def test_the_process_ends_with_the_model(compiled, library):
    model = open_model(compiled, library=library)
    process = model._process
    assert process.poll() is None
    del model
    gc.collect()
    assert process.poll() == 0


def test_a_mistake_over_there_is_no_fault_of_the_device(compiled, library):
    model = open_model(compiled, library=library)
    with pytest.raises(RuntimeError, match="no_such_method"):
        model._ask("no_such_method")


def test_warnings_about_the_file_arrive(compiled, library):
    compiled.with_suffix(".json").write_text("{}")
    with pytest.warns(UserWarning, match="toy_edgetpu.json does not describe"):
        open_model(compiled, library=library)


def test_where_a_model_runs_is_as_it_was_asked_for(tmp_path, library):
    write_model(tmp_path / "plain.tflite")
    with pytest.raises(UserError, match="not compiled for the Edge TPU"):
        open_model(tmp_path / "plain.tflite", delegate="edgetpu")
    with pytest.raises(UserError, match="does not run on a CPU"):
        open_model(write_pair(tmp_path), delegate="cpu", library=library)

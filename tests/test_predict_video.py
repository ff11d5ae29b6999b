"""The command `predict` on videos and a camera, with OpenCV's stand-in."""

import sys

import numpy as np
import pytest
from edgetpu_stand_in import write_model
from fake_opencv import FakeOpenCV, read_video
from predict_command import (
    INFO,
    expect_refusal,
    files,
    picture,
    read,
    run,
    save,
)

from deepgbass.ondevice.predictor import open_predictor
from deepgbass.reports.visualize import overlay

FRAMES = [picture(seed, (20, 40)) for seed in range(4)]


@pytest.fixture
def model(tmp_path):
    """A model whose logits are the image."""
    write_model(tmp_path / "models" / "toy.tflite")
    return tmp_path / "models" / "toy.tflite"


@pytest.fixture
def no_model(tmp_path):
    """Names a model that is not there: what is refused before it is read."""
    return tmp_path / "absent.tflite"


@pytest.fixture
def opencv(monkeypatch):
    fake = FakeOpenCV()
    monkeypatch.setitem(sys.modules, "cv2", fake)
    return fake


@pytest.fixture
def movie(tmp_path, opencv):
    """A video of four frames, ten a second."""
    path = tmp_path / "drive.mp4"
    path.touch()
    opencv.videos[str(path)] = (FRAMES, 10.0, 4)
    return path


def overlays(model, frames):
    predictor = open_predictor(model)
    return [overlay(f, predictor(f), INFO.colors) for f in frames]


def test_a_video_becomes_a_video_and_label_maps(tmp_path, model, movie):
    out = tmp_path / "out"
    run(model, out, movie, labels="train_ids")
    names = [f"drive_labels/{i:06}.png" for i in range(4)]
    assert files(out) == [*names, "drive_overlay.mp4"]
    written = read_video(out / "drive_overlay.mp4")
    np.testing.assert_array_equal(written["frames"], overlays(model, FRAMES))
    assert written["pace"] == 10.0
    predictor = open_predictor(model)
    np.testing.assert_array_equal(read(out / names[3]), predictor(FRAMES[3]))
    # A shorter one leaves none of the old label maps.
    expect_refusal("exists; --overwrite", model, out, movie, labels="train_ids")
    values = {"labels": "train_ids", "overwrite": True, "max_frames": 2}
    run(model, out, movie, **values)
    assert files(out) == [*names[:2], "drive_overlay.mp4"]
    assert len(read_video(out / "drive_overlay.mp4")["frames"]) == 2


def test_a_video_that_breaks_off_keeps_its_frames(
    tmp_path, model, movie, opencv
):
    opencv.videos[str(movie)] = (FRAMES, 10.0, 9)
    image = save(tmp_path / "a.png")
    expect_refusal(
        r"drive\.mp4 breaks off after 4 of 9",
        model,
        tmp_path / "out",
        movie,
        image,
    )
    written = read_video(tmp_path / "out" / "drive_overlay.mp4")
    assert len(written["frames"]) == 4
    assert (tmp_path / "out" / "a_overlay.png").exists()


def test_bad_videos_are_refused_before_the_model_is_read(
    tmp_path, no_model, opencv, monkeypatch
):
    out = tmp_path / "out"
    expect_refusal("x.avi: there is no such", no_model, out, tmp_path / "x.avi")
    (tmp_path / "b.avi").touch()
    expect_refusal(
        "b.avi is not a readable video", no_model, out, tmp_path / "b.avi"
    )
    expect_refusal("--camera=3: no picture", no_model, out, camera=3)
    monkeypatch.setitem(sys.modules, "cv2", None)
    expect_refusal(
        r"pip install 'deepgbass\[video\]'", no_model, out, tmp_path / "b.avi"
    )
    assert not out.exists()


def test_a_camera_is_recorded_until_interrupted(tmp_path, model, opencv):
    def forever():
        yield from FRAMES
        raise KeyboardInterrupt

    opencv.videos[0] = (forever(), 30.0, -1)
    run(model, tmp_path / "out", camera=0)
    written = read_video(tmp_path / "out" / "camera0_overlay.mp4")["frames"]
    # In real time, a frame may come several times or not at all.
    wanted = {frame.tobytes() for frame in overlays(model, FRAMES)}
    assert {frame.tobytes() for frame in written} <= wanted
    assert (written[0] == overlays(model, FRAMES[:1])[0]).all()

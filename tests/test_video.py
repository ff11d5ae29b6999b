"""Videos through OpenCV: a stand-in of it, and the real one if installed."""

import sys
import time

import numpy as np
import pytest
from fake_opencv import FakeOpenCV, read_video

from deepgbass.errors import UserError
from deepgbass.video import VideoSource, is_video, write_video

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3), np.uint8)


@pytest.fixture
def opencv(monkeypatch):
    fake = FakeOpenCV()
    monkeypatch.setitem(sys.modules, "cv2", fake)
    return fake


def source(opencv, tmp_path, frames, *facts):
    path = tmp_path / "a.avi"
    path.touch()
    opencv.videos[str(path)] = (frames, *facts)
    return VideoSource(path)


def test_frames_arrive_in_rgb(opencv, tmp_path):
    video = source(opencv, tmp_path, FRAMES, 12.5, 5)
    assert (video.pace, video.count, video.is_camera) == (12.5, 5, False)
    np.testing.assert_array_equal(list(video), FRAMES)
    assert video.problem is None


@pytest.mark.parametrize("count, whole", [(5, True), (6, False), (0, True)])
def test_missing_frames_are_a_problem(opencv, tmp_path, count, whole):
    video = source(opencv, tmp_path, FRAMES, 10.0, count)
    assert len(list(video)) == 5
    assert (video.problem is None) == whole


@pytest.mark.parametrize("pace", [0.0, float("nan"), -1.0])
def test_an_unknown_pace_is_the_usual_one(opencv, tmp_path, pace):
    assert source(opencv, tmp_path, FRAMES, pace, 5).pace == 25.0


def test_a_camera_that_stops_is_a_problem(opencv):
    opencv.videos[1] = (FRAMES, 30.0, -1)
    video = VideoSource(1)
    assert video.is_camera and video.count is None
    assert len(list(video)) == 5
    assert video.problem == "--camera=1 stopped after 5 frames"


def test_a_video_appears_whole_even_if_its_making_fails(opencv, tmp_path):
    path = tmp_path / "new" / "b.mp4"
    with pytest.raises(ZeroDivisionError), write_video(path, 10.0) as write:
        write(FRAMES[0])
        assert not path.exists()
        write(FRAMES[1])
        raise ZeroDivisionError
    written = read_video(path)
    np.testing.assert_array_equal(written["frames"], FRAMES[:2])
    assert (written["pace"], str(written["code"])) == (10.0, "mp4v")
    assert list(path.parent.iterdir()) == [path]


def test_without_frames_there_is_no_video(opencv, tmp_path):
    with write_video(tmp_path / "b.mp4", 10.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_recording_keeps_the_time(opencv, tmp_path, monkeypatch):
    now = [50.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    path = tmp_path / "b.mp4"
    with write_video(path, 10.0, real_time=True) as write:
        for frame, seconds in zip(
            FRAMES, (0.32, 0.05, 0.02, 0.25, 0), strict=True
        ):
            write(frame)
            now[0] += seconds
    wanted = FRAMES[[0, 1, 1, 1, 4, 4, 4]]
    np.testing.assert_array_equal(read_video(path)["frames"], wanted)


def test_odd_sides_lose_nothing(opencv, tmp_path):
    frame = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    with write_video(tmp_path / "b.mp4", 10.0) as write:
        write(frame)
    (written,) = read_video(tmp_path / "b.mp4")["frames"]
    assert written.shape == (4, 6, 3)
    np.testing.assert_array_equal(written[:3, :5], frame)
    np.testing.assert_array_equal(written[3:, :5], frame[2:])
    np.testing.assert_array_equal(written[:, 5], written[:, 4])


def test_a_writer_that_does_not_open_is_explained(opencv, tmp_path):
    opencv.can_write = False
    with (
        pytest.raises(UserError, match="b.mp4: OpenCV cannot write"),
        write_video(tmp_path / "b.mp4", 10.0) as write,
    ):
        write(FRAMES[0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.mp4", "b.AVI", "c.MOV", "d.webm"])
def test_videos_are_known_by_their_suffix(tmp_path, name):
    assert is_video(tmp_path / name)
    (tmp_path / name).mkdir()
    assert not is_video(tmp_path / name)
    assert not is_video("photo.png")


def test_opencv_itself(tmp_path):
    pytest.importorskip("cv2", reason="opencv-python-headless: not installed")
    slope = np.linspace(0, 250, 48, dtype=np.uint8)
    frame = np.stack([np.tile(slope, (32, 1))] * 3, axis=-1)
    frame[..., 2] = 40
    path = tmp_path / "b.mp4"
    with write_video(path, 10.0) as write:
        for _ in range(6):
            write(frame)
    video = VideoSource(path)
    assert (video.pace, video.count) == (10.0, 6)
    frames = list(video)
    assert len(frames) == 6 and video.problem is None
    assert np.abs(frames[3].astype(int) - frame).mean() < 8
    with write_video(tmp_path / "odd.mp4", 10.0) as write:
        write(frame[1:, 1:])
    assert [f.shape for f in VideoSource(tmp_path / "odd.mp4")] == [frame.shape]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match="not a readable video"):
        VideoSource(path)

"""Frames of videos and cameras, by OpenCV, which is optional."""

import contextlib
import os
import pathlib
import time

import numpy as np

from deepgbass.errors import UserError
from deepgbass.files import temporary_folder

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
# Where a file or a camera does not tell, frames a second.
_USUAL_PACE = 25.0
# A container only estimates its number of frames: less than this share of it
# is a video that was cut short.
_WHOLE = 0.95


def is_video(path):
    """Whether a path looks like a video's."""
    path = pathlib.Path(path)
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def import_opencv():
    """OpenCV's module.

    Raises:
        UserError: it is not installed.
    """
    # Of broken files its own words are enough, said once: in a `UserError`.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            f"videos and cameras need OpenCV, which cannot be imported "
            f"({error}): pip install 'deepgbass[video]'"
        ) from None
    return cv2


class VideoSource:
    """A video file or a camera; iterating gives uint8 RGB frames.

    Args:
        source: path of a file, or int: the number of a camera.

    Attributes:
        is_camera: bool.
        pace: frames a second.
        count: frames that the file says it has, or None.
        problem: None, or what is wrong, known after the last frame.

    Raises:
        UserError: there is no OpenCV, or no frame can be read.
    """

    def __init__(self, source):
        self._cv2 = import_opencv()
        self.is_camera = isinstance(source, int)
        self._name = f"--camera={source}" if self.is_camera else str(source)
        if not self.is_camera and not pathlib.Path(source).is_file():
            raise UserError(f"{source}: there is no such file")
        self._capture = self._cv2.VideoCapture(
            source if self.is_camera else str(source)
        )
        # Some broken files can be opened.
        _, self._frame = self._capture.read()
        if self._frame is None:
            self._capture.release()
            raise UserError(
                f"{self._name}: no picture comes from it: there is no such "
                "camera, or another program uses it"
                if self.is_camera
                else f"{source} is not a readable video: no frame can be read"
            )
        self.pace = self._property("FPS") or _USUAL_PACE
        count = int(self._property("FRAME_COUNT"))
        self.count = count if count and not self.is_camera else None
        self.problem = None

    def __iter__(self):
        given = 0
        try:
            while self._frame is not None:
                given += 1
                yield self._cv2.cvtColor(self._frame, self._cv2.COLOR_BGR2RGB)
                _, self._frame = self._capture.read()
        finally:
            self._capture.release()
        if self.is_camera:
            self.problem = f"{self._name} stopped after {given} frames"
        elif self.count and given < _WHOLE * self.count:
            self.problem = (
                f"{self._name} breaks off after {given} of {self.count} frames"
            )

    def _property(self, name):
        """A positive property of the video, 0 where it is not known."""
        value = self._capture.get(getattr(self._cv2, f"CAP_PROP_{name}"))
        return value if 0 < value < 1e7 else 0.0


@contextlib.contextmanager
def write_video(path, pace, real_time=False):
    """Writes an MP4 file of the frames that it is given.

    Even if the block fails, the file appears, with the frames so far; without
    any, there is none.

    Args:
        path: of the file; its suffix must be `.mp4`.
        pace: frames a second.
        real_time: whether frames come slower or faster than this, from a
            camera: each is repeated as often as the time since the first one
            demands, or left out.

    Yields:
        Function that takes a uint8 RGB frame `(height, width, 3)`, all of one
        size. Where a side is odd, its last row or column comes twice.

    Raises:
        UserError: OpenCV cannot write such a file.
    """
    cv2, path = import_opencv(), pathlib.Path(path)
    began = writer = None
    written = 0

    def write(frame):
        nonlocal began, writer, written
        # MP4 has no odd sides: OpenCV would drop a row or a column.
        height, width = frame.shape[:2]
        edges = (0, height % 2), (0, width % 2), (0, 0)
        frame = np.pad(frame, edges, mode="edge")
        if writer is None:
            began = time.monotonic()
            code = cv2.VideoWriter_fourcc(*"mp4v")
            size = frame.shape[1::-1]
            writer = cv2.VideoWriter(str(temporary), code, pace, size)
            if not writer.isOpened():
                raise UserError(f"{path}: OpenCV cannot write MP4 videos here")
        due = written + 1
        if real_time:
            due = int((time.monotonic() - began) * pace) + 1
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        for _ in range(due - written):
            writer.write(bgr)
        written = max(due, written)

    with temporary_folder(path) as folder:
        temporary = folder / path.name
        try:
            yield write
        finally:
            if writer is not None:
                writer.release()
            if written:
                os.replace(temporary, path)

"""A module in OpenCV's place: videos are arrays in a dict or NumPy files."""

import types

import numpy as np

CAP_PROP_FPS, CAP_PROP_FRAME_COUNT = 5, 7


class FakeOpenCV(types.ModuleType):
    """Install it as `sys.modules["cv2"]`.

    Attributes:
        videos: str (path) or int (camera) -> (frames uint8 RGB, frames a
            second, number of frames that the file claims to have).
        can_write: whether a writer opens.
    """

    CAP_PROP_FPS, CAP_PROP_FRAME_COUNT = CAP_PROP_FPS, CAP_PROP_FRAME_COUNT
    COLOR_BGR2RGB, COLOR_RGB2BGR = "bgr to rgb", "rgb to bgr"

    def __init__(self):
        super().__init__("cv2")
        self.videos, self.can_write = {}, True
        self.VideoCapture = lambda source: _Capture(self.videos.get(source))
        self.VideoWriter = lambda *args: _Writer(self.can_write, *args)

    @staticmethod
    def VideoWriter_fourcc(*letters):
        return "".join(letters)

    @staticmethod
    def cvtColor(frame, code):
        return frame[..., ::-1].copy()


class _Capture:
    def __init__(self, video):
        frames, self._pace, self._count = video or ((), 0.0, 0)
        self._frames = iter(frames)

    def read(self):
        for frame in self._frames:
            return True, frame[..., ::-1].copy()
        return False, None

    def get(self, name):
        values = {CAP_PROP_FPS: self._pace, CAP_PROP_FRAME_COUNT: self._count}
        return float(values[name])

    def release(self):
        self._frames = iter(())


class _Writer:
    def __init__(self, opens, path, code, pace, size):
        self._opens, self._path, self._frames = opens, path, []
        self._facts = {"code": code, "pace": pace, "size": size}

    def isOpened(self):
        return self._opens

    def write(self, frame):
        assert frame.shape[1::-1] == self._facts["size"]
        self._frames.append(frame[..., ::-1])

    def release(self):
        if self._frames:
            with open(self._path, "wb") as file:
                np.savez(file, frames=self._frames, **self._facts)


def read_video(path):
    """What a writer wrote: dict of `frames` (RGB), `code`, `pace`, `size`."""
    with np.load(path) as content:
        return dict(content)

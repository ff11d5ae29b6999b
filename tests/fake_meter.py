"""Stand-ins for what measures and draws a run."""


class FakeMeter:
    """Scores from a function; to be used with `FakeGallery`."""

    predictor = None

    def __init__(self, measure):
        self._measure = measure

    def __call__(self):
        return self._measure()


class FakeGallery:
    """No pictures."""

    def views(self, predictor):
        return ()

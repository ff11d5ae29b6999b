"""What all metrics share: images come one by one, and may be counted apart."""

import abc


class StreamingMetric(abc.ABC):
    """A metric of label maps.

    `update` adds one image. It is `measure`, which changes nothing and may
    run in any thread, and `add`, which takes what that returned.
    """

    def update(self, label, prediction):
        """Adds one image.

        Args:
            label: integers `(height, width)`, ids or the ignore label.
            prediction: integers `(height, width)`, ids; anything where the
                label is ignored.

        Raises:
            UserError: shapes, dtypes or ids are not as above.
        """
        self.add(self.measure(label, prediction))

    @abc.abstractmethod
    def measure(self, label, prediction):
        """Counts one image without adding it; arguments as of `update`."""

    @abc.abstractmethod
    def add(self, measured):
        """Adds an image that `measure` counted."""

    @abc.abstractmethod
    def reset(self):
        """Forgets all images."""

    @abc.abstractmethod
    def result(self):
        """What was measured on all images so far."""

"""What a converter reads: the common form of all data sets before records."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.record import Example


class Item(Protocol):
    """One image with its label, not read yet.

    Items are read in threads and all held at once, so they are small.

    Attributes:
        name: Unique in its split; what messages and predictions call it.
        files: What it is read from, the image first; empty where it does not
            come from files. Their names, sizes and times say whether a
            conversion that was interrupted may go on.
    """

    name: str
    files: tuple[pathlib.Path, ...]

    def read(self) -> Example:
        """The encoded image and the label as an 8-bit PNG of final ids.

        Raises:
            UserError: A file is missing, broken or of the wrong kind; one
                line that names it.
        """


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set to convert.

    Attributes:
        info: Its description, with `splits` still empty.
        splits: The items by the name of their split, in their final order.
    """

    info: DatasetInfo
    splits: Mapping[str, Sequence[Item]]

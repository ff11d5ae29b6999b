"""Images that a data set holds twice."""

from collections.abc import Iterator, Mapping, Sequence

from deepgbass.data.problems import Finding
from deepgbass.data.split_audit import Entry


def find_duplicates(splits: Mapping[str, Sequence[Entry]]) -> Iterator[Finding]:
    """Finds images with equal files or equal pixels.

    Args:
        splits: The entries of each split, in order.

    Yields:
        One finding for every image that an earlier one equals: "leak" if
        that lies in another split, otherwise "twice".
    """
    pixels = {
        entry.hashes.file: entry.hashes.pixels
        for entries in splits.values()
        for entry in entries
        if entry.hashes.pixels
    }
    # The first entry of an image in each split.
    seen: dict[bytes, dict[str, Entry]] = {}
    for split, entries in splits.items():
        for entry in entries:
            # A bad label keeps its image from being decoded.
            key = pixels.get(entry.hashes.file, entry.hashes.file)
            firsts = seen.setdefault(key, {})
            for other, first in firsts.items():
                yield Finding(
                    "twice" if other == split else "leak",
                    split,
                    str(entry),
                    _compare(entry, first, other, split),
                )
                break
            firsts.setdefault(split, entry)


def _compare(entry, first, other, split):
    same = "file" if entry.hashes.file == first.hashes.file else "pixels"
    where = "" if other == split else f" of {other}"
    labels = {entry.hashes.label, first.hashes.label} - {None}
    label = ", with another label" if len(labels) == 2 else ""
    return f"same {same} as {first}{where}{label}"

"""The shards of a conversion: what goes into each, and which are there.

A finished shard has a note beside it. Its digest of the source says whether
the shard is still what the source would give, its SHA-256 whether the shard
is still what was written; what was counted need not be counted again.
"""

import collections
import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable

import numpy as np

from deepgbass.data import decoding, tfrecord
from deepgbass.data.manifest import Shard, hash_file
from deepgbass.data.record import Example
from deepgbass.data.source import Item, Source
from deepgbass.errors import UserError
from deepgbass.files import write_atomic

# Part of every digest: a new number makes conversions that were interrupted
# start anew.
_VERSION = 1
# Without a wish a shard has up to so many bytes and images.
_BYTES, _IMAGES = 1 << 27, 1000


@dataclasses.dataclass(frozen=True)
class Plan:
    """One shard to write.

    Attributes:
        name: Its file name.
        split: The split that it is of.
        items: What goes into it, in order.
        digest: Changes with anything that its bytes depend on.
    """

    name: str
    split: str
    items: tuple[Item, ...]
    digest: str


@dataclasses.dataclass(frozen=True)
class Finished:
    """One shard that was written.

    Attributes:
        shard: Its description.
        sizes: Number of images of each height and width.
        ids: Number of pixels of each stored id, int64 `(256,)`.
    """

    shard: Shard
    sizes: collections.Counter
    ids: np.ndarray


def plan_shards(source: Source, num_shards: int | None = None) -> list[Plan]:
    """Cuts every split of a source into shards.

    Args:
        source: What to convert.
        num_shards: Files a split, but none stays empty. Default: as many as
            keep them below about 128 MiB and 1000 images, and at least 4.

    Raises:
        UserError: There are no splits, one is empty, or two of its items
            have the same name.
    """
    if not source.splits:
        raise UserError(f"{source.info.name}: has no splits")
    plans = []
    for split, items in source.splits.items():
        items = tuple(items)
        names = collections.Counter(item.name for item in items)
        if twice := [name for name, count in names.items() if count > 1]:
            raise UserError(
                f"{source.info.name}, split {split!r}: {len(twice)} names "
                f"appear twice ({twice[0]}, ...); rename the files"
            )
        # Items may share a file, as the records of TFDS do.
        files = dict.fromkeys(path for item in items for path in item.files)
        stats = {path: _stat(path) for path in files}
        size = sum(stat[0] for stat in stats.values() if stat)
        count = num_shards or max(
            4, -(-size // _BYTES), -(-len(items) // _IMAGES)
        )
        for name, part in tfrecord.cut_split(split, len(items), count).items():
            chosen = items[part.start : part.stop]
            known = [
                [repr(item), [stats[path] for path in item.files]]
                for item in chosen
            ]
            text = json.dumps([_VERSION, name, source.info.to_json(), known])
            digest = hashlib.sha256(text.encode(errors="surrogatepass"))
            plans.append(Plan(name, split, chosen, digest.hexdigest()))
    return plans


def write(
    plan: Plan, folder, checked: Iterable[tuple[Example, np.ndarray]]
) -> Finished:
    """Writes a shard, whole or not at all, and then its note.

    Args:
        plan: The shard.
        folder: Where to write it.
        checked: For each of its items the example and the number of pixels
            of each id; iterated once.

    Raises:
        OSError: It cannot be written.
    """
    path = pathlib.Path(folder, plan.name)
    sizes, ids = collections.Counter(), np.zeros(256, np.int64)

    def examples():
        for example, counts in checked:
            header = decoding.png_header(example.label)
            sizes[header.height, header.width] += 1
            ids[:] += counts
            yield example

    tfrecord.write_shard(path, examples())
    shard = Shard(
        plan.name, len(plan.items), path.stat().st_size, hash_file(path)
    )
    note = {
        "digest": plan.digest,
        "shard": dataclasses.asdict(shard),
        "sizes": [[*size, count] for size, count in sizes.items()],
        "ids": ids.tolist(),
    }
    write_atomic(note_path(plan.name, folder), json.dumps(note))
    return Finished(shard, sizes, ids)


def read(plan: Plan, folder, *others) -> Finished | None:
    """What was written of a plan; None if it is not there as planned.

    Args:
        plan: The shard.
        folder: Where it was written, with its note.
        *others: Folders that it may have been moved to since.
    """
    try:
        note = json.loads(note_path(plan.name, folder).read_bytes())
        shard = Shard(**note["shard"])
        if note["digest"] != plan.digest:
            return None
        paths = [pathlib.Path(f, plan.name) for f in (folder, *others)]
        path = next(path for path in paths if path.exists())
        if path.stat().st_size != shard.size or hash_file(path) != shard.sha256:
            return None
        sizes = {(height, width): n for height, width, n in note["sizes"]}
        return Finished(
            shard, collections.Counter(sizes), np.array(note["ids"], np.int64)
        )
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        # A note that cannot be read vouches for nothing.
        return None


def note_path(name: str, folder) -> pathlib.Path:
    """Where the note of a finished shard lies."""
    return pathlib.Path(folder, f"{name}.json")


def _stat(path):
    """Size and time of a file; None if reading it will fail."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns

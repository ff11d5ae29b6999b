"""Reads every record of a split once, before an hour of training is lost.

What is wrong with a pair of files (`pair`) is named by its record, in one
line.
"""

import dataclasses
import functools
import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from deepgbass.data import manifest, tfrecord
from deepgbass.data.pair import check_pair
from deepgbass.data.parallel import parallel_map
from deepgbass.data.pipeline import SegmentationDataset
from deepgbass.data.record import deserialize_example
from deepgbass.errors import UserError
from deepgbass.files import write_atomic
from deepgbass.progress import track

# A message names this many offenders and counts the others.
_NAMED = 3


@dataclasses.dataclass(frozen=True)
class VerifyReport:
    """What a whole split holds.

    Attributes:
        images: Number of images.
        pixels: Number of pixels of each class.
        ignored: Number of ignored pixels.
    """

    images: int
    pixels: tuple[int, ...]
    ignored: int


def raise_problems(where: str, total: int, problems: list[str]) -> None:
    """Raises one error that names the first offenders, if there are any.

    Args:
        where: File, directory or split that they belong to.
        total: Number of files looked at.
        problems: One text an offender, beginning with its name.

    Raises:
        UserError: There are problems.
    """
    if problems:
        more = len(problems) - _NAMED
        raise UserError(
            f"{where}: {len(problems)} of {total} are bad: "
            + "; ".join(problems[:_NAMED])
            + (f"; and {more} more" if more > 0 else "")
        )


def verify_split(dataset: SegmentationDataset, stamp=None) -> VerifyReport:
    """Reads and checks every record, with its checksums.

    Args:
        dataset: The split to check.
        stamp: Path of a JSON file that remembers which splits were found
            good. A split whose shards have kept name, size and time is then
            not read again.

    Raises:
        UserError: A record is truncated or corrupt, an image or label cannot
            be decoded, their sizes differ, or a label is no map of allowed
            ids: names the records, their shards and their number. Or every
            pixel of the split is ignored, or the shards and what is in them
            are not as `dataset.json` says.
    """
    manifest.check_shards(dataset.info, dataset.data_dir, dataset.split)
    stamps = _read_stamps(stamp)
    key = f"{os.path.abspath(dataset.data_dir)}:{dataset.split}"
    state = _state(dataset)
    if stamps.get(key, {}).get("state") == state:
        report = stamps[key]["report"]
        return VerifyReport(**report | {"pixels": tuple(report["pixels"])})

    total = len(dataset)
    checks = parallel_map(
        functools.partial(_check_record, dataset.info), _payloads(dataset)
    )
    pixels, problems = np.zeros(256, np.int64), []
    for problem, counts in track(checks, f"checking {dataset.split}", total):
        pixels += counts
        if problem:
            problems.append(problem)
    where = f"{dataset.data_dir}, split {dataset.split!r}"
    raise_problems(where, total, problems)

    ignored = int(pixels[dataset.info.ignore_label])
    pixels[dataset.info.ignore_label] = 0
    classes = tuple(pixels[: dataset.info.num_classes].tolist())
    if not any(classes):
        raise UserError(
            f"{where}: every pixel has the ignored id "
            f"{dataset.info.ignore_label}, so there is nothing to learn or "
            "measure; correct the labels or ignore_label and convert again"
        )
    manifest.check_shards(
        dataset.info, dataset.data_dir, dataset.split, contents=True
    )
    said = dataset.info.statistics.get(dataset.split)
    if said and (said.pixels, said.ignored) != (classes, ignored):
        raise UserError(
            f"{where}: the pixels of the classes are not as many as "
            "dataset.json says, so it was changed by hand or belongs to "
            "another data set; convert it again"
        )
    report = VerifyReport(total, classes, ignored)
    if stamp is not None:
        stamps[key] = {"state": state, "report": dataclasses.asdict(report)}
        write_atomic(stamp, json.dumps(stamps, indent=1))
    return report


def _payloads(dataset):
    """Pairs of a place and the payload there, None where it is corrupt.

    A reader that meets a wrong checksum cannot go on, so the rest of that
    shard is left out.
    """
    for number, path in enumerate(dataset.paths):
        places = np.flatnonzero(dataset.records.file == number)
        payloads = iter(tf.data.TFRecordDataset(path).prefetch(8))
        for place in places:
            start = int(dataset.records.offset[place])
            shard = f"{os.path.basename(path)}, byte {start}"
            try:
                yield shard, next(payloads).numpy()
            except tf.errors.DataLossError:
                length = int(dataset.records.length[place])
                spoiled = tfrecord.read_payload(path, start, length)
                yield _describe(spoiled, shard), None
                break


def _check_record(info, item):
    """What is wrong with a record, or None, and its pixels of each id."""
    place, payload = item
    try:
        if payload is None:
            raise UserError("the record is corrupt, its checksum is wrong")
        example = deserialize_example(payload)
        place = f"{example.filename} ({place})"
        return None, check_pair(example.image, example.label, info)
    except UserError as error:
        return f"{place}: {error}", 0


def _describe(spoiled, shard):
    """The place of a corrupt record, with its name if that can be read."""
    try:
        return f"{deserialize_example(spoiled).filename} ({shard})"
    except UserError:
        return shard


def _state(dataset):
    """What must not have changed for an old verdict to hold."""
    shards = {}
    for path in dataset.paths:
        stat = os.stat(path)
        shards[os.path.basename(path)] = [stat.st_size, stat.st_mtime_ns]
    described = dataset.info.shards.get(dataset.split, ())
    return {
        "shards": shards,
        "sha256": [shard.sha256 for shard in described],
        "classes": dataset.info.num_classes,
        "ignore_label": dataset.info.ignore_label,
    }


def _read_stamps(stamp):
    try:
        stamps = json.loads(pathlib.Path(stamp).read_text()) if stamp else {}
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}

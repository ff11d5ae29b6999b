"""Reads every record of a split once, before an hour of training is lost.

Most failures of segmentation training begin in the data: label ids outside
the classes, colours instead of ids, files cut short. Each is named here by
its file, in one line.
"""

import collections
import dataclasses
import functools
import io
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from PIL import Image

from deepgbass.data import decoding, manifest, tfrecord
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.pipeline import SegmentationDataset
from deepgbass.errors import UserError
from deepgbass.files import write_atomic
from deepgbass.progress import track

# A message names this many offenders and counts the others.
_NAMED = 3

# Color types of the PNG specification that are no class ids.
_NOT_IDS = {
    2: "the label is RGB-coded (3 channels), not class ids in one channel",
    3: "the label is a palette PNG, which TensorFlow reads as colours",
    4: "the label has an alpha channel",
    6: "the label is RGB-coded (4 channels), not class ids in one channel",
}


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


class BadPair(UserError):
    """What is wrong with an image or its label, without a file name.

    Attributes:
        kind: "image", "label", "coding" (the label is no map of 8-bit ids),
            "size" or "ids".
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def check_pair(image: bytes, label: bytes, info: DatasetInfo) -> np.ndarray:
    """Checks an encoded image and its encoded label.

    Args:
        image: A JPEG, PNG or BMP file.
        label: A PNG file.
        info: Says which ids are allowed.

    Returns:
        The number of pixels of each stored id, int64 `(256,)`.

    Raises:
        BadPair: What is wrong.
    """
    _, ids = decode_pair(image, label)
    return count_ids(ids, info)


def decode_pair(image: bytes, label: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Decodes an image and its label, and makes sure that they fit.

    Args:
        image: A JPEG, PNG or BMP file.
        label: A PNG file.

    Returns:
        RGB, uint8 `(height, width, 3)`, and stored ids, uint8
        `(height, width)`.

    Raises:
        BadPair: What is wrong.
    """
    header = decoding.png_header(label)
    if header is None:
        raise BadPair("label", "the label is not a PNG")
    if header.color_type in _NOT_IDS:
        raise BadPair("coding", _NOT_IDS[header.color_type])
    if header.bit_depth != 8:
        raise BadPair("coding", f"the label has {header.bit_depth} bits, not 8")
    if decoding.image_format(image) is None:
        raise BadPair("image", "the image is not a JPEG, PNG or BMP")
    try:
        pixels = decoding.decode_image(image).numpy()
    except tf.errors.OpError as error:
        raise BadPair("image", "the image cannot be decoded") from error
    if _is_palette_bmp(image, pixels):
        raise BadPair("image", "the image is a palette BMP, save it as PNG")
    try:
        ids = decoding.decode_label(label).numpy()
    except tf.errors.OpError as error:
        raise BadPair("label", "the label cannot be decoded") from error
    if pixels.shape[:2] != ids.shape:
        raise BadPair(
            "size",
            "the image is {}x{}, the label {}x{} (height x width)".format(
                *pixels.shape[:2], *ids.shape
            ),
        )
    return pixels, ids


def count_ids(ids: np.ndarray, info: DatasetInfo) -> np.ndarray:
    """The number of pixels of each stored id, int64 `(256,)`.

    Args:
        ids: uint8 `(height, width)`.
        info: Says which ids are allowed.

    Raises:
        BadPair: There are other ids.
    """
    flat = ids.ravel()
    # In parts, because NumPy widens what it counts to 64 bits.
    counts = sum(
        np.bincount(flat[start : start + 2**20], minlength=256)
        for start in range(0, flat.size, 2**20)
    )
    allowed = {*range(info.num_classes), info.ignore_label}
    if strange := sorted(set(np.flatnonzero(counts).tolist()) - allowed):
        shown = ", ".join(map(str, strange[:8])) + ", ..." * (len(strange) > 8)
        raise BadPair(
            "ids",
            f"label ids {shown} are neither classes (0 to "
            f"{info.num_classes - 1}) nor the ignored {info.ignore_label}",
        )
    return counts


def _is_palette_bmp(image, pixels):
    """Whether TensorFlow took the palette's indices for gray values."""
    if decoding.image_format(image) != "bmp":
        return False
    with Image.open(io.BytesIO(image)) as picture:
        return not np.array_equal(pixels, picture.convert("RGB"))


def parallel_map(
    function: Callable, items: Iterable, workers: int | None = None
) -> Iterator:
    """`map` in threads, in order, that holds only a few items at a time.

    Threads, because decoding and hashing let go of the interpreter's lock.

    Args:
        function: Is called with each item.
        items: Read as they are needed.
        workers: Number of threads. Default: one a core.
    """
    workers = workers or os.cpu_count() or 1
    items = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        submit = functools.partial(pool.submit, function)
        pending = collections.deque(
            map(submit, itertools.islice(items, 4 * workers))
        )
        while pending:
            result = pending.popleft().result()
            pending.extend(map(submit, itertools.islice(items, 1)))
            yield result


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
        example = tfrecord.deserialize_example(payload)
        place = f"{example.filename} ({place})"
        return None, check_pair(example.image, example.label, info)
    except UserError as error:
        return f"{place}: {error}", 0


def _describe(spoiled, shard):
    """The place of a corrupt record, with its name if that can be read."""
    try:
        return f"{tfrecord.deserialize_example(spoiled).filename} ({shard})"
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

"""Converts a source to a directory of TFRecords, in one pass.

Every item is read, checked and written once. Shards are finished one by one
in the folder `.converting` within the directory; only when all are there do
they take the place of what the directory held, `dataset.json` last. So
whatever kills a conversion, a reader meets the old data set, the new one, or
a directory that it refuses, and the next run goes on with the shards that
are missing.
"""

import contextlib
import dataclasses
import functools
import itertools
import os
import pathlib

import tensorflow as tf

from deepgbass import lock
from deepgbass.data import dataset_info, shards, tfrecord
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.manifest import check_shards, count_statistics
from deepgbass.data.pair import check_pair
from deepgbass.data.parallel import parallel_map
from deepgbass.data.record import serialize_example
from deepgbass.data.source import Source
from deepgbass.data.verify import raise_problems
from deepgbass.errors import UserError
from deepgbass.files import write_atomic
from deepgbass.progress import console, track


class _BadShard(Exception):
    """Ends the writing of a shard that a bad item belongs to."""


def convert(
    source: Source,
    data_dir,
    *,
    num_shards: int | None = None,
    overwrite: bool = False,
    workers: int | None = None,
) -> DatasetInfo:
    """Writes a source as TFRecords; an equal data set there is kept.

    The same source gives the same bytes, whatever the number of workers and
    however often the conversion was interrupted. Shards that an interrupted
    one finished are taken over if the `repr` of their items and the names,
    sizes and times of the files are the same.

    Args:
        source: What to convert.
        data_dir: Directory for the records, made if missing.
        num_shards: Files a split. Default: as many as keep them below about
            128 MiB and 1000 images, and at least 4.
        overwrite: Whether another data set there may be replaced, once the
            new one is complete. Files that are no data set of ours are never
            touched.
        workers: Threads that read and check. Default: one a core.

    Returns:
        The description as written, with counts, statistics and shards.

    Raises:
        UserError: Items are bad (the first are named, all are counted, and
            the good shards are kept for the next run), the directory holds
            another data set and `overwrite` is False, it holds other files,
            another conversion writes there, or it cannot be written.
    """
    data_dir = pathlib.Path(data_dir)
    for name, value in (("num_shards", num_shards), ("workers", workers)):
        if value is not None and value < 1:
            raise UserError(f"{name}: want at least 1, not {value}")
    plans = shards.plan_shards(source, num_shards)
    with _named(data_dir):
        data_dir.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(data_dir)
        with lock.locked_folder(
            data_dir / dataset_info.UNFINISHED, "conversion"
        ) as work:
            return _convert(source, plans, data_dir, work, overwrite, workers)


def _convert(source, plans, data_dir, work, overwrite, workers):
    if (data_dir / dataset_info.FILE_NAME).exists():
        if info := _equal(source, plans, data_dir, workers):
            _clear(work)
            return info
        if not overwrite:
            raise UserError(
                f"{data_dir}: holds another data set; choose another "
                "directory (a conversion with --overwrite replaces it)"
            )
    finished = _take_over(plans, data_dir, work)
    if finished:
        console.print(
            f"{data_dir}: goes on, {len(finished)} of {len(plans)} shards "
            "are there"
        )
    missing = [plan for plan in plans if plan.name not in finished]
    finished |= _write(source.info, missing, work, workers)
    info = _describe(source.info, plans, finished)
    _publish(info, data_dir, work)
    _clear(work)
    return info


def _refuse_foreign(data_dir):
    """Raises if the directory holds what is no data set of ours."""
    work = data_dir / dataset_info.UNFINISHED
    if any(
        (path / dataset_info.FILE_NAME).exists() for path in (data_dir, work)
    ):
        return
    names = sorted(
        path.name for path in data_dir.iterdir() if path.name[0] != "."
    )
    if names:
        raise UserError(
            f"{data_dir}: holds other files ({names[0]}, ...) and no "
            f"{dataset_info.FILE_NAME}; choose an empty or new directory"
        )


def _equal(source, plans, data_dir, workers):
    """The description of the data set there if converting changed nothing."""
    names, counts = {}, {}
    for plan in plans:
        names.setdefault(plan.split, []).append(plan.name)
        counts[plan.split] = counts.get(plan.split, 0) + len(plan.items)
    try:
        info = DatasetInfo.load(data_dir)
        there = {
            split: [shard.name for shard in files]
            for split, files in info.shards.items()
        }
        if there != names or info != dataclasses.replace(
            source.info, splits=counts
        ):
            return None
        for split in counts:
            check_shards(info, data_dir, split)
        paths = [str(data_dir / plan.name) for plan in plans]
        stored = tf.data.TFRecordDataset(paths).as_numpy_iterator()
        items = [(plan.split, item) for plan in plans for item in plan.items]
        fresh = parallel_map(_read, items, workers)
        fresh = track(fresh, "comparing", len(items))
        equal = all(
            new is not None and old == serialize_example(new)
            for old, (new, _) in itertools.zip_longest(
                stored, fresh, fillvalue=(None, None)
            )
        )
        return info if equal else None
    except (UserError, tf.errors.OpError):
        return None


def _take_over(plans, data_dir, work):
    """The shards that an earlier conversion finished; clears the rest away."""
    complete = work / dataset_info.FILE_NAME
    # It was killed while it put the new shards in their place.
    moved = (data_dir,) if complete.exists() else ()
    finished = {}
    for plan in track(plans, "looking for finished shards", len(plans)):
        if found := shards.read(plan, work, *moved):
            finished[plan.name] = found
    if moved and len(finished) < len(plans):
        # It was another source; what it moved is of no use now.
        if not (data_dir / dataset_info.FILE_NAME).exists():
            _remove_shards(data_dir)
        complete.unlink()
        return _take_over(plans, data_dir, work)
    notes = {shards.note_path(name, work).name for name in finished}
    _clear(work, keep={*finished, *notes, complete.name})
    return finished


def _write(info, plans, work, workers):
    """Reads, checks and writes shards; raises what is bad at the end."""
    items = [(plan.split, item) for plan in plans for item in plan.items]
    check = functools.partial(_check, info)
    results = parallel_map(check, items, workers)
    results = track(results, "converting", len(items))
    finished, problems = {}, []
    with contextlib.closing(results):
        for plan in plans:
            part = itertools.islice(results, len(plan.items))
            with contextlib.suppress(_BadShard):
                finished[plan.name] = shards.write(
                    plan, work, _good(part, problems)
                )
    raise_problems(info.name, len(items), problems)
    return finished


def _good(results, problems):
    """Passes good results on and notes bad ones, which end the shard."""
    before = len(problems)
    for example, counts, problem in results:
        if problem:
            problems.append(problem)
        else:
            yield example, counts
    if len(problems) > before:
        raise _BadShard


def _check(info, place):
    """An example, its pixels of each id, and what is wrong with it."""
    example, problem = _read(place)
    if problem:
        return None, None, problem
    try:
        return example, check_pair(example.image, example.label, info), None
    except UserError as error:
        split, item = place
        return None, None, f"{split}/{item.name}: {error}"


def _read(place):
    """An example, or None and what is wrong with it."""
    split, item = place
    try:
        return item.read(), None
    except UserError as error:
        return None, str(error)
    except OSError as error:
        reason = error.strerror or error
        return None, f"{split}/{item.name}: cannot be read: {reason}"


def _describe(info, plans, finished):
    """The description with everything that is known at the end."""
    splits, statistics, files = {}, {}, {}
    for split in dict.fromkeys(plan.split for plan in plans):
        parts = [finished[plan.name] for plan in plans if plan.split == split]
        files[split] = [part.shard for part in parts]
        splits[split] = sum(part.shard.records for part in parts)
        statistics[split] = count_statistics(
            functools.reduce(lambda a, b: a + b, (p.sizes for p in parts)),
            sum(part.ids for part in parts),
            info.num_classes,
            info.ignore_label,
        )
    return dataclasses.replace(
        info, splits=splits, statistics=statistics, shards=files
    )


def _publish(info, data_dir, work):
    """Puts the new shards in the place of the old; may be repeated."""
    complete = work / dataset_info.FILE_NAME
    write_atomic(complete, info.to_json())
    # Until the new description comes, readers find none.
    (data_dir / dataset_info.FILE_NAME).unlink(missing_ok=True)
    names = {shard.name for part in info.shards.values() for shard in part}
    _remove_shards(data_dir, keep=names)
    for name in sorted(names):
        if (work / name).exists():
            os.replace(work / name, data_dir / name)
    os.replace(complete, data_dir / dataset_info.FILE_NAME)


def _remove_shards(data_dir, keep=()):
    for paths in tfrecord.find_shards(data_dir).values():
        for path in paths:
            if path.name not in keep:
                path.unlink()


def _clear(work, keep=()):
    """Empties the folder of the conversion but for some files and the lock."""
    for path in work.iterdir():
        if path.name not in (lock.FILE_NAME, *keep):
            path.unlink()


@contextlib.contextmanager
def _named(data_dir):
    """Reports what cannot be written as the user's error."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{data_dir}: cannot be written: {error.strerror or error}"
        ) from error

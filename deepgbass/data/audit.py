"""Looks at every record of a data set once and says what it is like.

`verify.verify_split` is what training asks: good or not. This is for people
who want to know all that is wrong, and how good the labels are.
"""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Mapping

from deepgbass.data import manifest, salvage, tfrecord
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.duplicates import find_duplicates
from deepgbass.data.label_quality import measure_label
from deepgbass.data.pair import BadPair, count_ids, decode_pair
from deepgbass.data.parallel import parallel_map
from deepgbass.data.problems import ERROR, Finding, Problem, group
from deepgbass.data.record import deserialize_example
from deepgbass.data.split_audit import Entry, Hashes, SplitAudit, describe
from deepgbass.errors import UserError
from deepgbass.progress import track

# The share of ignored pixels, or of hidden boundaries, that is too much.
_MOST = 0.5


@dataclasses.dataclass(frozen=True)
class Audit:
    """What a whole data set is like.

    Attributes:
        info: Its description.
        splits: What its splits are like, by name.
        problems: What is wrong, the most severe first.
    """

    info: DatasetInfo
    splits: Mapping[str, SplitAudit]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> int:
        """Number of problems that are errors; the others are warnings."""
        return sum(problem.severity == ERROR for problem in self.problems)


def audit_dataset(data_dir, workers: int | None = None) -> Audit:
    """Reads every record of every split.

    What is bad is noted and left out of the sums; only what hides all the
    rest is raised. The result depends neither on the place of the directory
    nor on the number of workers.

    Args:
        data_dir: Directory with `dataset.json` and TFRecords.
        workers: Records to look at at a time. Default: one a core.

    Raises:
        UserError: There is no such directory, it has no good `dataset.json`,
            or no records.
    """
    if not pathlib.Path(data_dir).is_dir():
        raise UserError(f"{data_dir}: no such directory")
    info = DatasetInfo.load(data_dir)
    # Messages name it; it can be told from the rest of them if absolute.
    data_dir = pathlib.Path(data_dir).absolute()
    names = dict.fromkeys(
        [*info.splits, *info.shards, *tfrecord.find_shards(data_dir)]
    )
    if not names:
        raise UserError(
            f"{data_dir}: no TFRecords beside dataset.json; convert a data "
            "set into this directory first (datasets/README.md)"
        )
    splits, findings = {}, []
    for name in names:
        splits[name], found = _audit_split(info, data_dir, name, workers)
        findings += found
    findings += find_duplicates({n: s.entries for n, s in splits.items()})
    findings += _compare_classes(info, splits)
    return Audit(info, splits, group(findings))


def _audit_split(info, data_dir, split, workers):
    """A `SplitAudit` and the findings within the split."""
    shards, findings = _find_records(info, data_dir, split)
    audit = SplitAudit(split, info)
    jobs = list(_jobs(info, data_dir, split, shards))
    results = parallel_map(lambda job: job(), jobs, workers)
    for entry, measured, finding in track(
        results, f"checking {split}", len(jobs)
    ):
        if measured:
            audit.add(entry, *measured)
        elif entry:
            audit.entries.append(entry)
        if finding:
            findings.append(finding)
            audit.bad += finding.kind != "shards"
    return audit, findings + list(_judge(info, audit, not findings))


def _find_records(info, data_dir, split):
    """The places of the records in each shard, and what is wrong there."""
    findings, shards = [], {}
    try:
        tfrecord.list_shards(data_dir, split)
    except UserError as error:
        found = str(error).removeprefix(f"{data_dir}: ")
        findings.append(Finding("shards", split, found))
    for path in tfrecord.find_shards(data_dir).get(split, ()):
        try:
            shards[path], gaps = salvage.find_records(path)
        except OSError as error:
            found = f"cannot be read: {error.strerror}"
            findings.append(Finding("damaged", split, path.name, found))
            continue
        for gap in gaps:
            found = f"bytes {gap.start} to {gap.end - 1} are no records"
            if gap.truncated:
                found = (
                    f"the record at byte {gap.start} does not end within the "
                    "file"
                )
            findings.append(Finding("damaged", split, path.name, found))
    count, said = sum(map(len, shards.values())), info.splits.get(split)
    if not count or said not in (None, count):
        found = f"{count} records" + f", but {said} are described" * bool(said)
        findings.append(Finding("shards", split, found))
    return shards, findings


def _jobs(info, data_dir, split, shards):
    """Functions that look at a shard, and then at each of its records."""
    described = {shard.name: shard for shard in info.shards.get(split, ())}
    for name in dict.fromkeys([*(p.name for p in shards), *described]):
        path = data_dir / name
        if name in described:
            yield functools.partial(
                _check_shard, info, path, split, described[name]
            )
        for place in shards.get(path, ()):
            yield functools.partial(_check_record, info, split, path, place)


def _check_shard(info, path, split, shard):
    # Just before its records are looked at, so that the disk is read once.
    try:
        manifest.check_shards(
            dataclasses.replace(info, shards={split: (shard,)}),
            path.parent,
            split,
            contents=True,
        )
    except UserError as error:
        found = str(error).removeprefix(f"{path}: ")
        return None, None, Finding("shards", split, path.name, found)
    return None, None, None


def _check_record(info, split, path, place):
    """An entry or None, the arguments of `add` or None, a finding or None."""
    payload = salvage.read_record(path, place)
    try:
        # A name can often be read where the checksum is wrong.
        example = deserialize_example(
            salvage.read_unchecked(path, place) if payload is None else payload
        )
    except UserError as error:
        where = describe(path, place)
        if payload is None:
            return None, None, Finding("checksum", split, where)
        return None, None, Finding("schema", split, where, str(error))
    hashes = Hashes(_digest(example.image))
    entry = Entry(example.filename, path, place, hashes)
    if payload is None:
        return None, None, Finding("checksum", split, str(entry))
    try:
        pixels, ids = decode_pair(example.image, example.label)
        hashes = Hashes(hashes.file, _digest(pixels), _digest(ids))
        entry = entry._replace(hashes=hashes)
        counts = count_ids(ids, info)
    except BadPair as error:
        return entry, None, Finding(error.kind, split, str(entry), str(error))
    ignored = int(counts[info.ignore_label]) / ids.size
    quality = measure_label(ids, info.ignore_label)
    entry = entry._replace(ignored=ignored)
    return entry, (ids.shape, counts, quality), None


def _digest(data):
    """Of bytes, or of an array and its shape."""
    digest = hashlib.blake2b(data, digest_size=16)
    digest.update(str(getattr(data, "shape", "")).encode())
    return digest.digest()


def _judge(info, audit, whole):
    """What is wrong with the sums of a split; `whole` if all was read."""
    split, good = audit.name, audit.good
    if not good:
        return
    if not audit.pixels.any():
        found = f"every pixel has the ignored id {info.ignore_label}"
        yield Finding("nothing", split, found)
        return
    if whole and split in info.statistics:
        yield from _compare_counts(info, audit)
    for entry in good:
        if entry.ignored == 1:
            yield Finding("void", split, str(entry))
    for kind, share, of in (
        ("ignored", audit.ignored_share, "pixels"),
        ("hidden", audit.hidden_share, "boundary pixels"),
    ):
        if share > _MOST:
            yield Finding(kind, split, f"{100 * share:.1f} % of the {of}")


def _compare_counts(info, audit):
    """What is not as `dataset.json` says it was counted."""
    said = info.statistics[audit.name]
    if len(said.pixels) != info.num_classes:
        found = (
            f"{len(said.pixels)} classes were counted, but "
            f"{info.num_classes} have names"
        )
        yield Finding("counts", audit.name, found)
        return
    for name, counted, described in zip(
        (*info.class_names, "ignored"),
        (*audit.pixels.tolist(), audit.ignored),
        (*said.pixels, said.ignored),
        strict=True,
    ):
        if counted != described:
            found = f"{counted} pixels, but {described} are described"
            yield Finding("counts", audit.name, name, found)


def _compare_classes(info, splits):
    """The classes that no split has, or not every split."""
    useful = {n: audit for n, audit in splits.items() if audit.pixels.any()}
    for index, name in enumerate(info.class_names):
        having = [split for split in useful if useful[split].images[index]]
        if index == info.ignore_label or not useful:
            continue
        if not having:
            yield Finding("unseen", "", name)
            continue
        for split in useful:
            if split not in having:
                found = f"only in {', '.join(having)}"
                yield Finding("absent", split, name, found)

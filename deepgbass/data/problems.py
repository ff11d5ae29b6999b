"""What a check of a data set may find: how bad it is, and what to do."""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

ERROR, WARNING = "error", "warning"


class Kind(NamedTuple):
    """A kind of problem.

    Attributes:
        severity: `ERROR` for what training refuses or learns wrongly,
            `WARNING` for what makes its numbers worth less.
        title: What is wrong, in the plural.
        advice: What to do.
    """

    severity: str
    title: str
    advice: str


_AGAIN = "copy the files again from where they are whole, or convert again"
KINDS = {
    "shards": Kind(ERROR, "files are not as dataset.json says", _AGAIN),
    "damaged": Kind(ERROR, "files are cut short or damaged", _AGAIN),
    "checksum": Kind(ERROR, "records have wrong checksums", _AGAIN),
    "schema": Kind(
        ERROR,
        "records are not of TF DeepLab's schema",
        "write its features, or convert with a script of datasets/",
    ),
    "image": Kind(
        ERROR,
        "images cannot be decoded",
        "save them again as JPEG or PNG and convert again",
    ),
    "label": Kind(
        ERROR,
        "labels cannot be decoded",
        "save them again as PNG and convert again",
    ),
    "coding": Kind(
        ERROR,
        "labels are not class ids",
        "write the id of every pixel's class into a PNG of one channel and 8 "
        "bits (datasets/README.md) and convert again",
    ),
    "size": Kind(
        ERROR,
        "labels have another size than their images",
        "give every image its own label at the image's size",
    ),
    "ids": Kind(
        ERROR,
        "labels hold ids outside of the classes",
        "name the missing classes or the right ignore_label, or map the ids, "
        "and convert again",
    ),
    "nothing": Kind(
        ERROR,
        "no pixel is labelled, so there is nothing to learn or measure",
        "correct the labels or ignore_label and convert again",
    ),
    "counts": Kind(
        ERROR,
        "the pixels of the classes are not as many as dataset.json says",
        "convert again: dataset.json was changed by hand or is of another set",
    ),
    "leak": Kind(
        WARNING,
        "images are also in another split",
        "leave them out of one: scores on images that were trained on say "
        "nothing",
    ),
    "twice": Kind(
        WARNING,
        "images are there more than once",
        "leave out all but one",
    ),
    "unseen": Kind(
        WARNING,
        "classes are in no image of any split",
        "leave them out of the classes, or look for what maps them away",
    ),
    "absent": Kind(
        WARNING,
        "classes are in other splits only",
        "split anew: what a split for training lacks is not learnt, what one "
        "for evaluation lacks is not measured",
    ),
    "void": Kind(
        WARNING,
        "images have no labelled pixel",
        "leave them out: nothing is learnt from them",
    ),
    "ignored": Kind(
        WARNING,
        "most pixels are ignored",
        "make sure that ignore_label is meant, and is no class",
    ),
    "hidden": Kind(
        WARNING,
        "most class boundaries lie under ignored bands",
        "boundary scores of this split rest on few pixels; do not compare "
        "them with those of other data sets",
    ),
}
"""Name -> kind, the most severe first."""


class Finding(NamedTuple):
    """One thing that is wrong.

    Attributes:
        kind: A key of `KINDS`.
        split: Name of the split, or "" for the whole data set.
        place: Which record, file or class.
        detail: What was found there, or "".
    """

    kind: str
    split: str
    place: str
    detail: str = ""

    def __str__(self):
        return f"{self.place}: {self.detail}" if self.detail else self.place


@dataclasses.dataclass(frozen=True)
class Problem:
    """All findings of one kind in one split.

    Attributes:
        kind: A key of `KINDS`.
        split: Name of the split, or "" for the whole data set.
        findings: At least one, in the order of the records.
    """

    kind: str
    split: str
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> str:
        """`ERROR` or `WARNING`."""
        return KINDS[self.kind].severity

    @property
    def advice(self) -> str:
        """What to do."""
        return KINDS[self.kind].advice

    @property
    def title(self) -> str:
        """What is wrong, with the split and the number of offenders."""
        split = f"{self.split}: " if self.split else ""
        return f"{split}{KINDS[self.kind].title} ({len(self.findings)})"

    def describe(self, most: int) -> str:
        """The problem in one line that names up to `most` offenders."""
        named = "; ".join(map(str, self.findings[:most]))
        more = len(self.findings) - most
        rest = f"; and {more} more" if more > 0 else ""
        return f"{self.title}: {named}{rest}. To mend it: {self.advice}."


def group(findings: Iterable[Finding]) -> tuple[Problem, ...]:
    """Findings by kind and split, the most severe kind first."""
    grouped = {}
    for finding in findings:
        key = finding.kind, finding.split
        grouped.setdefault(key, []).append(finding)
    problems = [Problem(*key, tuple(found)) for key, found in grouped.items()]
    order = list(KINDS)
    return tuple(sorted(problems, key=lambda p: order.index(p.kind)))

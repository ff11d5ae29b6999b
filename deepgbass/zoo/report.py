"""What `load_zoo_weights` did: loaded, skipped (why), missing."""

import collections
import dataclasses
import pathlib

from deepgbass.zoo.names import group

_GROUPS = ("backbone", "aspp", "decoder", "logits")


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What became of every weight of a file and of a network.

    Attributes:
        path: the file, or the prefix of the checkpoint.
        format: "TF1 checkpoint" or "TFLite".
        loaded: weights of the network that were set, "layer/weight".
        skipped: `(name, reason)` of what the file holds and was left alone.
        missing: weights of the network that the file does not give.
        notes: what else there is to know, a sentence each.
    """

    path: pathlib.Path
    format: str
    loaded: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __str__(self):
        lines = [f"{self.path} ({self.format})"]
        lines.append(f"  {'':10}{'loaded':>8}{'missing':>8}")
        loaded, missing = _count(self.loaded), _count(self.missing)
        for name in _GROUPS:
            if loaded[name] or missing[name]:
                lines.append(f"  {name:10}{loaded[name]:8}{missing[name]:8}")
        reasons = collections.defaultdict(list)
        for name, reason in self.skipped:
            reasons[reason].append(name)
        for reason, names in reasons.items():
            lines.append(f"  skipped {len(names)}: {reason} (e.g. {names[0]})")
        if self.missing:
            layers = dict.fromkeys(
                name.split("/")[0].removesuffix("_bn") for name in self.missing
            )
            shown = ", ".join(list(layers)[:6])
            more = f" and {len(layers) - 6} more" if len(layers) > 6 else ""
            lines.append(f"  missing, not loaded: {shown}{more}")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)


def _count(names):
    return collections.Counter(group(name.split("/")[0]) for name in names)

"""In what two experiments differ, as far as it decides what is trained."""

# Fields that may change when a run goes on: they decide what is kept, shown
# and held in memory, not what is trained.
_FREE = {
    "train.best_by",
    "train.checkpoint_every",
    "train.eval_every",
    "train.keep",
    "train.keep_best",
    "train.log_every",
    "train.recompute",
}
_SECTIONS = ("model", "data", "loss", "train")


def differences(found, wanted, sections=_SECTIONS):
    """Fields in which two configurations differ, as readable words.

    Args:
        found: `ExperimentConfig` that is there.
        wanted: `ExperimentConfig` that is asked for.
        sections: of them, to be compared.

    Returns:
        list of str, empty if they train the same network the same way.
    """
    words = []
    for section in sections:
        old, new = getattr(found, section), getattr(wanted, section)
        before, after = old, new
        if section == "loss":
            before, after = old.effective(), new.effective()
        for name, was in vars(old).items():
            now = getattr(new, name)
            decides = getattr(before, name) != getattr(after, name)
            # Where a loss leaves a field idle, its default may differ from
            # the other's while what was written does not.
            if was != now and decides and f"{section}.{name}" not in _FREE:
                words.append(
                    f"{section}.{name} ({was!r} there, {now!r} asked for)"
                )
    return words

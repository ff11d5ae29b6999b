"""The trials of a table: which trainings there are, and in which order."""

import dataclasses
import pathlib

from deepgbass.ablation.trial import read_result
from deepgbass.configs import ExperimentConfig
from deepgbass.errors import UserError


@dataclasses.dataclass(frozen=True)
class Trial:
    """A training to be done: a row's, with one seed.

    Attributes:
        key: of the row.
        seed: of the training, as `config` has it.
        config: `ExperimentConfig`.
        folder: its own; the configuration (.json) and the log (.log) lie
            beside it.
        quantizations: what to export it as.
    """

    key: str
    seed: int
    config: ExperimentConfig
    folder: pathlib.Path
    quantizations: tuple[str, ...] = ()

    @property
    def name(self):
        return f"{self.key}, seed {self.seed}"

    def is_done(self):
        result = read_result(self.folder)
        return result is not None and result.has(
            self.config, self.quantizations
        )


def trial_folder(workdir, key, seed):
    """Where a trial of a table lies."""
    return pathlib.Path(workdir) / key / f"seed{seed}"


def plan_trials(spec, configs, workdir, *, keys=(), seeds=None, qat=False):
    """The trials of a table in the order of work.

    All rows with their first seed come first, then all with the second, so
    that a table that is stopped compares as many rows as possible.

    Args:
        spec: `TableSpec`.
        configs: key -> `ExperimentConfig`, as `row_configs` gives them.
        workdir: the table's folder.
        keys: of the rows to work on; none: all.
        seeds: None for each row's own.
        qat: whether to fine-tune the whole method for int8 too.

    Returns:
        list of `Trial`.

    Raises:
        UserError: a key is not the table's.
    """
    for key in keys:
        if key not in configs:
            raise UserError(
                f"--rows: there is no row {key!r}; choose from "
                f"{', '.join(configs)}"
            )
    rows = [row for row in spec.rows if not keys or row.key in keys]
    trials = []
    for turn in range(max(len(seeds or row.seeds) for row in rows)):
        for row in rows:
            of_row = seeds or row.seeds
            if turn < len(of_row):
                forms = spec.quantizations
                if turn:  # Times do not depend on the seed.
                    forms = tuple(form for form in forms if form != "float")
                if qat and row.is_full:
                    forms += ("qat_int8",)
                trials.append(
                    _trial(row.key, of_row[turn], configs, workdir, forms)
                )
    return trials


def _trial(key, seed, configs, workdir, quantizations):
    config = configs[key]
    train = dataclasses.replace(config.train, seed=seed)
    return Trial(
        key,
        seed,
        dataclasses.replace(config, train=train),
        trial_folder(workdir, key, seed),
        quantizations,
    )

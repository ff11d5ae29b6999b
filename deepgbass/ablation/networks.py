"""The trained networks of a table, for its pictures."""

import dataclasses
import pathlib

from deepgbass.ablation.plan import trial_folder
from deepgbass.errors import UserError
from deepgbass.predictors import Predictor, load_predictor
from deepgbass.progress import console


@dataclasses.dataclass(frozen=True)
class Network:
    """A row's network.

    Attributes:
        seed: that it was trained with.
        folder: of its trial.
        predictor: the network.
    """

    seed: int
    folder: pathlib.Path
    predictor: Predictor


def first_network(workdir, name, key, seeds):
    """The network of a row's first seed that still has one.

    A trial counts in the table once it was measured; its checkpoints may be
    gone since, or have stayed on another machine. Prints what is left out.

    Args:
        workdir: of the table.
        name, key: of the row.
        seeds: in the order to try.

    Returns:
        `Network`; None if there is none.
    """
    for seed in seeds:
        folder = trial_folder(workdir, key, seed)
        try:
            return Network(seed, folder, load_predictor(folder))
        except UserError as error:
            console.print(f"{name}, seed {seed} cannot be shown: {error}")
    return None

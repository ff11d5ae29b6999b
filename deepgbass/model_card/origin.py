"""Where a model comes from: its configuration, and its row of a table."""

import dataclasses
import hashlib
import json
import pathlib

from deepgbass.configs import ExperimentConfig, differences
from deepgbass.errors import UserError


def config_of(values):
    """The `ExperimentConfig` in the dict of a `ModelDescription`."""
    return ExperimentConfig.from_json(json.dumps(values["config"]))


def published(values):
    """A description for others: without the folder of the initial weights.

    Args:
        values: dict of a `ModelDescription`.

    Returns:
        dict.
    """
    text = _without_folder(config_of(values)).to_json()
    digest = hashlib.sha256(text.encode()).hexdigest()
    return values | {"config": json.loads(text), "config_sha256": digest}


def find_row(table, key, config):
    """The row of a table that a model is of.

    Args:
        table: dict as table.json holds it.
        key: of the row.
        config: `ExperimentConfig` of the model.

    Raises:
        UserError: there is no such row, or the model is not of its trainings.
    """
    for row in table["rows"]:
        if row["key"] == key:
            break
    else:
        raise UserError(
            f"--row={key}: the table has no such row; choose from "
            f"{', '.join(row['key'] for row in table['rows'])}"
        )
    if config.train.seed not in row["seeds"]:
        raise UserError(
            f"--row={key}: the row has the seeds {row['seeds']}, and the model "
            f"was trained with {config.train.seed}"
        )
    first = ExperimentConfig.from_json(json.dumps(table["config"]))
    found = differences(
        _anonymous(first), _anonymous(config), ("train", "data")
    )
    found += differences(config.with_overrides(row["set"]), config)
    if found:
        raise UserError(
            f"--row={key}: the model was trained otherwise than the row: "
            f"{', '.join(found)}; choose its own row and table"
        )
    return row


def _anonymous(config):
    """Without what trainings of one row, or their copies, differ in."""
    train = dataclasses.replace(_without_folder(config).train, seed=0)
    return dataclasses.replace(config, train=train)


def _without_folder(config):
    """A configuration whose initial weights are a name alone."""
    if config.train.init_weights is None:
        return config
    name = pathlib.Path(config.train.init_weights).name
    train = dataclasses.replace(config.train, init_weights=name)
    return dataclasses.replace(config, train=train)

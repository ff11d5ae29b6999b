"""The file of a table, for all that show it."""

import json
import pathlib

from deepgbass.errors import UserError


def read_table(path):
    """The dict in a table.json, with at least one row.

    Raises:
        UserError: there is none, or it is not one.
    """
    try:
        table = json.loads(pathlib.Path(path).read_text())
        if table["rows"] and "command" in table:
            return table
    except FileNotFoundError:
        raise UserError(
            f"{path}: there is no such file; python -m deepgbass.ablation "
            "writes it"
        ) from None
    except (ValueError, KeyError, TypeError):
        pass
    raise UserError(f"{path} is not a table of deepgbass.ablation")

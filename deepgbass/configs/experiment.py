"""Configuration of an experiment: the sections together, JSON, overrides."""

import dataclasses
import json
import pathlib
from dataclasses import dataclass, field

from deepgbass.configs.data import DataConfig
from deepgbass.configs.loss import LossConfig
from deepgbass.configs.model import ModelConfig
from deepgbass.configs.train import TrainConfig
from deepgbass.configs.values import build, parse_word, require
from deepgbass.errors import UserError


@dataclass(frozen=True)
class ExperimentConfig:
    """One experiment: everything that decides its result but the data."""

    name: str = "custom"
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self):
        for name in ("crop_size", "eval_size"):
            size = getattr(self.data, name)
            require(
                min(size) > self.model.output_stride,
                "data",
                name,
                size,
                f"above model.output_stride = {self.model.output_stride} "
                "pixels each way",
            )

    def require_data_dir(self, data_dir):
        """Makes sure that there is a folder of records, if one is needed.

        Raises:
            UserError: there is none.
        """
        if self.data.source == "records" and not data_dir:
            raise UserError(
                f"--config={self.name} reads TFRecords: give their folder as "
                "--data_dir (datasets/README.md says how to make them)"
            )

    def to_json(self):
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text, source="configuration"):
        """Reads `to_json`'s form; fields left out keep their defaults.

        Raises:
            UserError: `text` is not JSON, or names an unknown field or a
                value of the wrong type. `source` is named in the message.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"{source} is not JSON: {error}") from None
        return build(cls, values, source)

    def with_overrides(self, assignments):
        """A copy with `section.field=value` words applied, all at once.

        Raises:
            UserError: a word does not parse, names no field, or its value is
                not of the field's type or range.
        """
        values = dataclasses.asdict(self)
        for assignment in assignments:
            path, equals, text = assignment.partition("=")
            section, dot, name = path.partition(".")
            known = [
                f"{outer}.{inner}"
                for outer, fields in values.items()
                if isinstance(fields, dict)
                for inner in fields
            ]
            if not (equals and dot):
                raise UserError(
                    f"--set {assignment!r} is not of the form"
                    " section.field=value"
                )
            if path not in known:
                raise UserError(
                    f"--set {path}: there is no such field; the fields are "
                    + ", ".join(known)
                )
            kind = type(getattr(self, section)).__annotations__[name]
            values[section][name] = parse_word(text, kind)
        return build(type(self), values, "--set")


def load_config(workdir):
    """The configuration that a work directory was made for.

    Raises:
        UserError: `workdir` is not a work directory.
    """
    path = pathlib.Path(workdir) / "config.json"
    if not path.is_file():
        raise UserError(
            f"--workdir={workdir} has no config.json: it is not a work "
            "directory yet; train.py --config=NAME makes one"
        )
    return read_config(path)


def read_config(path):
    """The configuration in a JSON file.

    Raises:
        UserError: the file is not one; the message names it.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file in UTF-8") from None
    return ExperimentConfig.from_json(text, str(path))

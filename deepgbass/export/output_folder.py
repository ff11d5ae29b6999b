"""The folder of an export: only its own models are replaced, and at once."""

import contextlib
import json
import os

from deepgbass.configs import ExperimentConfig, differences
from deepgbass.errors import UserError
from deepgbass.files import remove_temporaries
from deepgbass.lock import locked_folder

# Where an export is kept that its gates did not let pass.
REJECTED = "rejected"
# Of an export's files, after the model's name without ".tflite".
SUFFIXES = (".tflite", ".json", ".fidelity.json", ".preflight.json")


def refuse_other_model(folder, config, class_names, size, output, input_type):
    """Makes sure that an export replaces none but its own earlier ones.

    Args:
        folder: Path, of `--output_dir`; need not exist.
        config: `ExperimentConfig` of the network.
        class_names: tuple of str.
        size: (height, width) of the input.
        output: one of `choices.OUTPUTS`.
        input_type: "int8" or "uint8", of the models whose input has a scale.

    Raises:
        UserError: it holds a model that differs in one of these, or of which
            nobody knows.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output_dir={folder} is a file, not a folder")
    for path in sorted(folder.glob("*.tflite")):
        # What the compiler made of a model belongs to it.
        source = path.with_stem(path.stem.removesuffix("_edgetpu"))
        try:
            found = json.loads(source.with_suffix(".json").read_text())
            there = ExperimentConfig.from_json(json.dumps(found["config"]))
            takes = found["input"]
            alike = {
                "configuration": not differences(there, config),
                "classes": tuple(found["dataset"]["class_names"])
                == class_names,
                "size": tuple(takes["size"]) == size,
                "output": found["output"]["content"] == output,
                "input_type": not takes["scale"]
                or takes["dtype"] == input_type,
            }
        except (OSError, ValueError, KeyError, TypeError):
            alike = {"description, which cannot be read": False}
        if not all(alike.values()):
            other = ", ".join(name for name in alike if not alike[name])
            raise UserError(
                f"--output_dir={folder} holds another model ({path.name}; "
                f"other: {other}); choose another folder or remove it"
            )


@contextlib.contextmanager
def exporting(path):
    """Holds the folder of a model for one export; clears what killed ones left.

    For all forms: two that end side by side could each find the folder free
    of other models.

    Args:
        path: Path of the model; its folder exists.

    Raises:
        UserError: another process exports to the folder.
    """
    with locked_folder(path.parent / ".export", "export"):
        remove_temporaries(path.parent, path.name)
        yield


def publish(made, folder):
    """Moves the files of a finished export to their place, the model last.

    A kill in between leaves the earlier model beside a description that does
    not count for it: the one within the model does.

    Args:
        made: Path of the folder that holds these files alone.
        folder: Path; made if absent.
    """
    folder.mkdir(exist_ok=True)
    files = sorted(made.iterdir(), key=lambda path: path.suffix == ".tflite")
    for path in files:
        os.replace(path, folder / path.name)


def discard_rejected(path):
    """Removes a rejected export once a later one of its name has passed.

    Args:
        path: of the model that was published.
    """
    folder = path.parent / REJECTED
    for suffix in SUFFIXES:
        (folder / path.name).with_suffix(suffix).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()

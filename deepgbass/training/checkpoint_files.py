"""One checkpoint on the disk: a folder that says of itself what it holds.

`checkpoints/step-00001500/` has TensorFlow's files and `meta.json`: the step,
configuration, versions, scores, and the size and SHA-256 of each file. Weights
and optimiser slots are in the files. The position in the data and all random
states need no place: they are functions of (train.seed, step).
"""

import dataclasses
import hashlib
import json
import pathlib
import re

import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import (
    TrackableObjectGraph,
)

from deepgbass.errors import UserError
from deepgbass.files import atomic_folder, atomic_path, sync, temporary_folder
from deepgbass.versions import provenance

META = "meta.json"
# Prefix of TensorFlow's files.
_STATE = "state"
_NAME = re.compile(r"step-(\d{8}|[1-9]\d{8,})")

# TensorFlow translates some of its errors: a short file is an IndexError.
_RESTORE_ERRORS = (
    AssertionError,
    IndexError,
    RuntimeError,
    ValueError,
    tf.errors.OpError,
)


@dataclasses.dataclass(frozen=True)
class Saved:
    """A sound checkpoint.

    Attributes:
        path: of its folder.
        meta: dict in `meta.json`.
    """

    path: pathlib.Path
    meta: dict

    @property
    def step(self):
        return self.meta["step"]

    @property
    def scores(self):
        """dict of metric -> value in 0..1 or None; None if not evaluated."""
        return self.meta["scores"]


def folder_name(step):
    return f"step-{step:08d}"


def step_of(path):
    """The step that a folder's name tells; None if it is no checkpoint's."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match and path.is_dir() else None


def write(path, step, trackables, config, chief=True):
    """Writes a checkpoint, whole or not at all.

    Under a multi-worker strategy all workers must call this at the same
    step: variables that are spread over them are put together.

    Args:
        path: of the folder to make, `folder_name(step)` in any folder.
        step: int. Steps done.
        trackables: dict of name -> object that `tf.train.Checkpoint` takes.
        config: `ExperimentConfig` of the run.
        chief: False for the other workers, whose files are thrown away.

    Returns:
        `Saved`, or None if not `chief`.
    """
    checkpoint = tf.train.Checkpoint(**trackables)
    if not chief:
        with temporary_folder(path) as folder:
            checkpoint.write(str(folder / _STATE))
        return None
    with atomic_folder(path) as folder:
        checkpoint.write(str(folder / _STATE))
        meta = {
            "step": step,
            "scores": None,
            "data_and_random_state": "functions of (train.seed, step)",
            "files": {
                file.name: _fingerprint(file)
                for file in sorted(folder.iterdir())
            },
            "versions": provenance(),
            "config": dataclasses.asdict(config),
        }
        (folder / META).write_text(_dump(meta))
    # As a reader gets it: JSON knows no tuples.
    return Saved(path, json.loads(_dump(meta)))


def record_scores(saved, scores):
    """Adds what an evaluation measured; returns the new `Saved`."""
    meta = saved.meta | {"scores": scores}
    with atomic_path(saved.path / META) as temporary:
        temporary.write_text(_dump(meta))
        sync(temporary)
    return Saved(saved.path, meta)


def check(path):
    """Reads a checkpoint's files, and compares them with its meta.json.

    Returns:
        `Saved`.

    Raises:
        UserError: it is damaged; the message says how, and not which it is.
    """
    try:
        meta = json.loads((path / META).read_text(encoding="utf-8"))
        step, files, _ = meta["step"], meta["files"], meta["scores"]
        if step != step_of(path):
            raise UserError(f"{META} is of step {step}")
        for name, known in files.items():
            _compare(path / name, known)
    except FileNotFoundError as error:
        name = pathlib.Path(error.filename).name
        raise UserError(f"{name} is missing") from None
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}") from None
    except UserError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{META} cannot be read") from None
    return Saved(path, meta)


def restore(saved, trackables):
    """Reads a checkpoint into objects, all of whose variables it must hold.

    Args:
        saved: `Saved`.
        trackables: as `write` got them, or some of these.

    Raises:
        UserError: it is of another network, or cannot be read.
    """
    prefix = str(saved.path / _STATE)
    try:
        status = tf.train.Checkpoint(**trackables).read(prefix)
        status.expect_partial().assert_existing_objects_matched()
        if _holds_more(prefix, trackables):
            raise AssertionError("it holds more variables")
    except _RESTORE_ERRORS as error:
        raise UserError(
            f"checkpoint {saved.path} does not fit: "
            f"{_difference(prefix, trackables) or _first_line(error)}; give "
            "the configuration that it was trained with, or another --workdir"
        ) from None


def _holds_more(prefix, trackables):
    """Whether the file's network has more variables than this one."""
    if "model" not in trackables:
        return False
    keys = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    there = sum(key.startswith("model/") for key in keys)
    return there > len(trackables["model"].variables)


def _difference(prefix, trackables):
    """The first variable that differs, in words; None if none is found."""
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
        graph = TrackableObjectGraph.FromString(
            reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
        )
    except _RESTORE_ERRORS:
        return None
    attributes = [a for node in graph.nodes for a in node.attributes]
    for part, trackable in trackables.items():
        there = {
            a.full_name: shapes[a.checkpoint_key]
            for a in attributes
            if a.checkpoint_key.startswith(f"{part}/")
        }
        variables = getattr(trackable, "variables", ())
        here = {v.name.split(":")[0]: list(v.shape) for v in variables}
        for name, shape in here.items():
            found = there.get(name)
            if found != shape:
                found = f"of shape {found}" if found else "not"
                return (
                    f"the {part}'s variable {name} is of shape {shape} here "
                    f"and {found} in it"
                )
        # An optimiser saves more than the variables that it names.
        if part == "model" and (more := [n for n in there if n not in here]):
            return f"it holds a variable {more[0]} of shape {there[more[0]]}"
    return None


def _fingerprint(path):
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _compare(path, known):
    size = path.stat().st_size
    if size != known["bytes"]:
        raise UserError(f"{path.name} has {size} bytes, not {known['bytes']}")
    if _fingerprint(path) != known:
        raise UserError(f"{path.name} is not as it was written (SHA-256)")


def _dump(meta):
    return json.dumps(meta, indent=2) + "\n"


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""An evaluation's results image by image, in a folder that it continues from.

`evaluation.json` says what was measured: the model, the data, how images were
predicted. `images.jsonl` gets a line for each image as soon as it is measured:
confusion matrices and boundary counts, which are sums over images, so that
any of them can be added up again. An evaluation that was killed goes on where
it was; one of another model or other data is refused.
"""

import json
import pathlib

import numpy as np

from deepgbass import __version__
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.evaluation.identity import differences
from deepgbass.files import write_atomic

FORMAT = "deepgbass-evaluation/1"
SETTINGS, IMAGES = "evaluation.json", "images.jsonl"
METRICS, REPORT = "metrics.json", "report.html"


class EvaluationStore:
    """The stored images of one evaluation. `len()` is their number.

    Args:
        folder: of the results.

    Attributes:
        folder: `pathlib.Path`.
        name: what to call the model.
        identity: dict that tells this evaluation from others: `model`,
            `data`, `prediction` and `measured_by`.
        info: `DatasetInfo`.

    Raises:
        UserError: the folder holds no evaluation, or a damaged one.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        path = self.folder / SETTINGS
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
            if settings["format"] != FORMAT:
                raise UserError(
                    f"{path} is of the format {settings['format']}, not "
                    f"{FORMAT}; evaluate again with --overwrite"
                )
            self.name = settings["name"]
            self.identity = settings["identity"]
            self.info = DatasetInfo.from_json(json.dumps(settings["dataset"]))
        except FileNotFoundError:
            raise UserError(f"{folder} holds no evaluation") from None
        except UserError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} is damaged ({error!r}); evaluate again with "
                "--overwrite"
            ) from None
        self._path = self.folder / IMAGES
        self._places, self._saved, self._end = self._read_places()

    def __len__(self):
        return len(self._places)

    def __contains__(self, index):
        return index in self._places

    def saved(self, index):
        """Paths, below the folder, of the predictions kept of an image."""
        return self._saved.get(index, [])

    def put(self, index, name, parts, saved=()):
        """Appends an image; of several with one index, the last counts.

        Args:
            index: its place in the split.
            name: of its file.
            parts: from `evaluator.measure_images`.
            saved: paths, below the folder, of predictions kept of it.
        """
        line = {
            "index": index,
            "name": name,
            "saved": list(saved),
            "parts": [_pack(part) for part in parts],
        }
        with self._path.open("ab") as file:
            file.truncate(self._end)  # Drops a line that a kill has torn.
            self._places[index] = file.seek(self._end)
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            self._end = file.tell()
        self._saved[index] = line["saved"]

    def read(self, indices):
        """Yields name and parts of images, as they were put."""
        with self._path.open("rb") as file:
            for index in indices:
                file.seek(self._places[index])
                line = json.loads(file.readline())
                yield line["name"], [_unpack(part) for part in line["parts"]]

    def _read_places(self):
        """Where the line of each image begins, and where all end."""
        places, saved, place = {}, {}, 0
        if not self._path.exists():
            return places, saved, place
        with self._path.open("rb") as file:
            for number, text in enumerate(file, 1):
                # Only the last can be torn, by a kill while it was written.
                if not text.endswith(b"\n"):
                    break
                try:
                    line = json.loads(text)
                    places[line["index"]] = place
                    saved[line["index"]] = line["saved"]
                except (KeyError, TypeError, ValueError):
                    raise UserError(
                        f"{self._path}: line {number} is damaged; evaluate "
                        "again with --overwrite"
                    ) from None
                place += len(text)
        return places, saved, place


def open_store(folder, name, identity, info, overwrite=False):
    """The store of an evaluation, made or continued.

    Args:
        folder: for the results.
        name: what to call the model.
        identity: dict with `model`, `data` and `prediction`.
        info: `DatasetInfo`.
        overwrite: begin anew where the folder holds another evaluation, or a
            damaged one; this one is continued all the same.

    Returns:
        `EvaluationStore`.

    Raises:
        UserError: the folder holds another evaluation, a damaged one, or
            results of something else.
    """
    folder = pathlib.Path(folder)
    identity = identity | {"measured_by": f"deepgbass {__version__}"}
    if _holds_one(folder):
        try:
            return _same(folder, identity)
        except UserError:
            if not overwrite:
                raise
        _clear(folder)
    settings = {
        "format": FORMAT,
        "name": name,
        "identity": identity,
        "dataset": json.loads(info.to_json()),
    }
    write_atomic(folder / SETTINGS, json.dumps(settings, indent=2) + "\n")
    return EvaluationStore(folder)


def _same(folder, identity):
    """The store of this very evaluation; UserError if it is another's."""
    store = EvaluationStore(folder)
    # As a reader gets it: JSON knows no tuples.
    if found := differences(store.identity, json.loads(json.dumps(identity))):
        raise UserError(
            f"--output_dir={folder} holds another evaluation, which differs "
            f"in {', '.join(found)}; choose another folder, or --overwrite "
            "begins anew"
        )
    return store


def _clear(folder):
    """Removes an evaluation, with the predictions that it tells of.

    The settings stay for last: without them, the rest is not ours.
    """
    try:
        store = EvaluationStore(folder)
        saved = [path for index in store._saved for path in store.saved(index)]
    except UserError:  # What is damaged tells of nothing.
        saved = []
    for path in (*saved, IMAGES, METRICS, REPORT):
        (folder / path).unlink(missing_ok=True)


def _holds_one(folder):
    """Whether a folder holds an evaluation.

    Raises:
        UserError: no, but files by the names of ours.
    """
    if (folder / SETTINGS).exists():
        return True
    for name in ("config.json", IMAGES, METRICS, REPORT):
        if (folder / name).exists():
            raise UserError(
                f"--output_dir={folder} holds {name} of something else; "
                "choose an empty or new folder"
            )
    return False


def _pack(part):
    """A part for JSON: of arrays, mostly zeros, what is not zero."""
    if isinstance(part, np.ndarray):
        places = np.flatnonzero(part)
        values = part.ravel()[places].tolist()
        return {"shape": part.shape, "at": places.tolist(), "values": values}
    if isinstance(part, dict):
        return {"counts": list(part.items())}
    if isinstance(part, tuple):
        return [_pack(one) for one in part]
    return part


def _unpack(part):
    if isinstance(part, list):
        return tuple(_unpack(one) for one in part)
    if not isinstance(part, dict):
        return part
    if "counts" in part:
        return {key: count for key, count in part["counts"]}
    array = np.zeros(part["shape"], np.int64)
    array.reshape(-1)[part["at"]] = part["values"]
    return array

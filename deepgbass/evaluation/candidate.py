"""A network to evaluate: of a work directory, a `.tflite` file or an Edge TPU.

All predict alike: what follows a network's output is the same code, so that
metrics differ by the network alone.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Mapping

from deepgbass.configs import load_config
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.evaluation.multi_scale import MultiScalePredictor, scaled_size
from deepgbass.experiment import restore_model
from deepgbass.export.description import read_description
from deepgbass.ondevice.structure import is_compiled
from deepgbass.predictors import TFLitePredictor, configured
from deepgbass.training import checkpoints


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A network to evaluate.

    Attributes:
        name: of its file or work directory.
        form: what it is, in a word or two, such as "int8, Edge TPU".
        predictor: `Predictor`, or one that averages.
        identity: dict for JSON that tells it from other networks, wherever
            it lies.
        eval_split: the split that it was made to be evaluated on.
        step: of the checkpoint; None where it is not known.
        at_scale: None for a network of one size, or a function of a scale
            that gives a `Predictor` of the network at that size.
    """

    name: str
    form: str
    predictor: Callable
    identity: Mapping
    eval_split: str = "val"
    step: int | None = None
    at_scale: Callable | None = dataclasses.field(default=None, repr=False)

    def averaged(self, scales, flip):
        """The same, predicting from several sizes and mirror images."""
        if tuple(scales) == (1.0,) and not flip:
            return self
        predictor = MultiScalePredictor(
            self.predictor, scales, flip, self.at_scale
        )
        return dataclasses.replace(self, predictor=predictor)


def open_candidate(
    path, checkpoint="newest", delegate="auto", device="", library=None
):
    """The network of a work directory or of a `.tflite` file.

    Args:
        path: of either.
        checkpoint: of a work directory, as `checkpoints.find` takes it.
        delegate, device, library: of `ondevice.isolation.open_model`.

    Raises:
        UserError: `path` is neither, holds no trained network, has no
            description, or does not run here.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        if delegate == "edgetpu":
            raise UserError(
                f"{path} is a work directory, and --delegate=edgetpu is for a "
                "model that was compiled for it: export and compile it first"
            )
        return _of_workdir(path, checkpoint)
    if path.suffix != ".tflite" or not path.is_file():
        raise UserError(
            f"--model={path} is neither a .tflite file nor a work directory"
        )
    if checkpoint != "newest":
        raise UserError(
            f"--checkpoint={checkpoint} is for work directories, and {path} "
            "is a file"
        )
    return _of_file(path, delegate, device, library)


def _of_workdir(workdir, checkpoint):
    config, info = load_config(workdir), DatasetInfo.load(workdir)
    saved = checkpoints.find(workdir, checkpoint)

    def at_scale(scale):
        size = config.data.eval_size
        if scale != 1:
            size = scaled_size(size, scale, config.model.output_stride)
        # The step: a training that is under way adds newer ones.
        model, _ = restore_model(workdir, size, which=saved.step)
        return configured(model, info, config)

    predictor = at_scale(1)
    files = sorted(saved.meta["files"].items())
    weights = [file["sha256"] for _, file in files]
    return Candidate(
        name=workdir.resolve().name,
        form="float",
        predictor=predictor,
        identity={
            "step": saved.step,
            "weights": hashlib.sha256(" ".join(weights).encode()).hexdigest(),
            "input": list(predictor.size),
            "longer_side": predictor.longer_side,
        },
        eval_split=config.data.eval_split,
        step=saved.step,
        at_scale=at_scale,
    )


def _of_file(path, delegate, device, library):
    predictor = TFLitePredictor(
        path, delegate=delegate, device=device, library=library
    )
    compiled = is_compiled(path)
    values = read_description(path).values
    form = values.get("quantization", "tflite")
    data = values.get("config", {}).get("data", {})
    return Candidate(
        name=path.stem,
        form=f"{form}, Edge TPU" if compiled else form,
        predictor=predictor,
        identity={
            "file": hashlib.sha256(path.read_bytes()).hexdigest(),
            "runs_on": "edgetpu" if compiled else "cpu",
        },
        eval_split=data.get("eval_split", "val"),
        step=values.get("step"),
    )

"""Whether a model on the Edge TPU gives what it gives on the CPU.

Compilers 15 and 16 have produced networks whose every operator was mapped and
whose output was wrong (google-coral/edgetpu#377). A time for a wrong result
says nothing.
"""

import dataclasses
import hashlib
import pathlib

import numpy as np

from deepgbass.errors import UserError

# Below this share of equal labels no time is quoted.
REQUIRED = 0.99
_SUFFIX = "_edgetpu"


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far two outputs for the same images agree.

    Attributes:
        equal: share of the output's pixels with the same class, 0..1.
        largest_difference: of two raw values, in the output's units (steps of
            an int8 output); None for labels.
        images: how many were compared.
        reference: file name of the CPU's model.
    """

    equal: float
    largest_difference: float | None
    images: int
    reference: str


def find_twin(path, description, given=None):
    """The model that a compiled one was made from, which a CPU can run.

    Args:
        path: of the compiled model.
        description: its `ModelDescription`.
        given: path of the twin; default: `NAME.tflite` beside
            `NAME_edgetpu.tflite`.

    Returns:
        `pathlib.Path`.

    Raises:
        UserError: it is not there, or is another model than the one compiled.
    """
    path = pathlib.Path(path)
    stem = path.stem.removesuffix(_SUFFIX)
    if given is None and stem == path.stem:
        raise UserError(
            f"{path}: name the model it was compiled from with --cpu_model, "
            "to compare the outputs"
        )
    twin = pathlib.Path(given or path.with_name(f"{stem}.tflite"))
    try:
        digest = hashlib.sha256(twin.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(
            f"{twin}, from which {path.name} was compiled, cannot be read "
            f"({error.strerror}): put it there or name it with --cpu_model; "
            "without it nobody knows whether the Edge TPU's output is right"
        ) from None
    compiled = description.values.get("compiled") or {}
    source = compiled.get("source_sha256")
    if source is None:
        raise UserError(
            f"the description of {path} does not say from which model it was "
            "compiled (compiled.source_sha256): compile it with "
            "export_tflite.py"
        )
    if source != digest:
        raise UserError(
            f"{twin} is not the model that {path.name} was compiled from "
            "(another SHA-256): compile it again, or name the right one with "
            "--cpu_model"
        )
    return twin


def compare(model, reference, images):
    """Runs two models on images.

    Args:
        model, reference: `OnDeviceModel` of one size and kind of output.
        images: uint8 `(*size, 3)` each.

    Returns:
        `Agreement`.

    Raises:
        UserError: they differ in size or kind of output, or a float output
            is not finite.
    """
    if (model.size, model.output) != (reference.size, reference.output):
        raise UserError(
            f"{reference.path} ({reference.output} for {reference.size}) is "
            f"not the twin of {model.path} ({model.output} for {model.size})"
        )
    equal, largest = [], 0.0
    for image in images:
        ours, theirs = model(image), reference(image)
        if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
            raise UserError(f"the output of {model.path} is not finite")
        if model.output == "logits":
            difference = ours.astype(np.float64) - theirs
            largest = max(largest, float(np.abs(difference).max()))
            ours, theirs = ours.argmax(-1), theirs.argmax(-1)
        equal.append(np.mean(ours == theirs))
    return Agreement(
        float(np.mean(equal)),
        largest if model.output == "logits" else None,
        len(equal),
        reference.path.name,
    )


def require(agreement, path):
    """Refuses to go on below `REQUIRED`.

    Raises:
        UserError: says how far the outputs differ.
    """
    if agreement.equal >= REQUIRED:
        return
    values = (
        f", raw values by up to {agreement.largest_difference:g}"
        if agreement.largest_difference is not None
        else ""
    )
    raise UserError(
        f"{path} agrees with {agreement.reference} on the CPU in "
        f"{100 * agreement.equal:.2f} % of the pixels{values}; below "
        f"{100 * REQUIRED:.0f} % no time is claimed: the output is wrong "
        "(compilers 15 and 16 are known for it, google-coral/edgetpu#377)"
    )

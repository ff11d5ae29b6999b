"""A `.tflite` file that segments, run as an image in, integers out."""

import pathlib
import re

import numpy as np

from deepgbass.errors import UserError
from deepgbass.export.description import read_description
from deepgbass.ondevice import delegate_faults
from deepgbass.ondevice.runtime import find_runtime
from deepgbass.quiet import silent_stderr

_INPUTS = (np.int8, np.uint8, np.float32)
# What an interpreter raises for files and models that it cannot run.
_FAULTS = (OSError, ValueError, RuntimeError)
_CUSTOM = re.compile(r"unresolved custom op: (\w+)")


class OnDeviceModel:
    """Runs a model that describes itself.

    The stages are apart, so that each can be timed; a call does all.

    Args:
        path: of a `.tflite` file with its description within or beside it.
        runtime: `Runtime`; default: `find_runtime()`.
        threads: of the CPU's kernels.
        xnnpack: whether they are XNNPACK's.
        accelerator: None for the CPU, or an `Accelerator`.

    Attributes:
        path: `pathlib.Path`.
        description: `ModelDescription`.
        size: (height, width) of the input in pixels.
        output: what it gives: "logits" `(h, w, classes)` at a lower
            resolution, "labels" `(h, w)` at a lower one, or "full" `(*size)`.
        input_dtype, output_dtype: NumPy types of the tensors.
        output_details: dict, what the interpreter says of the output:
            `quantization` and others.
        accelerator: as given.

    Raises:
        UserError: the file is not a model, not one of segmentation, not as
            its description says, has none, or does not run here.
    """

    def __init__(
        self, path, *, runtime=None, threads=1, xnnpack=True, accelerator=None
    ):
        self.path = pathlib.Path(path)
        self.accelerator = accelerator
        runtime = runtime or find_runtime()
        try:
            with self.path.open("rb"):
                pass
        except OSError as error:
            raise UserError(
                f"{path} cannot be read: {error.strerror}"
            ) from None
        # The tensors first, on the CPU: of a file that is no such model they
        # say more than its lack of a description.
        source, result = self._tensors(runtime)
        self.description = read_description(self.path)
        self._check(source, result)
        self.size = self.description.size
        self.output = self.description.output
        self.input_dtype, self.output_dtype = source["dtype"], result["dtype"]
        self.output_details = result
        self._source, self._result = source["index"], result["index"]
        try:
            self._interpreter = runtime.interpreter(
                self.path,
                threads=threads,
                xnnpack=xnnpack,
                delegate=accelerator and accelerator.delegate,
            )
            # XNNPACK tells of itself; what goes wrong is raised.
            with silent_stderr():
                self._interpreter.allocate_tensors()
        except _FAULTS as error:
            raise self._unprepared(error) from None

    def __call__(self, image):
        """The raw output for a uint8 image `(*size, 3)`."""
        self.set_input(image)
        self.invoke()
        return self.get_output()

    def set_input(self, image):
        """Copies a uint8 RGB image `(*size, 3)` into the input."""
        self._interpreter.set_tensor(
            self._source, as_input(image[None], self.input_dtype)
        )

    def invoke(self):
        """Runs the network.

        Raises:
            UserError: the Edge TPU failed; says whether it is still there.
        """
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            if self.accelerator is None:
                reason = " ".join(str(error).split())
                raise UserError(
                    f"{self.path} failed during an inference: {reason}"
                ) from None
            raise delegate_faults.failed_run(
                self.path, error, self.accelerator
            ) from None

    def get_output(self):
        """A copy of the output without its batch: see `output`."""
        return self._interpreter.get_tensor(self._result)[0]

    def _tensors(self, runtime):
        """Details of the input and the output, if they can be an image's."""
        try:
            interpreter = runtime.interpreter(self.path)
            sources = interpreter.get_input_details()
            results = interpreter.get_output_details()
        except _FAULTS as error:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"{self.path} is not a TFLite model that {runtime} reads: "
                f"{reason}"
            ) from None
        if len(sources) != 1 or len(results) != 1:
            raise UserError(
                f"{self.path} is no segmentation model: it has {len(sources)} "
                f"inputs and {len(results)} outputs; want one image and one "
                "map of logits or labels"
            )
        (source,), (result,) = sources, results
        shape, given = _signature(source), _signature(result)
        if len(given) not in (3, 4):
            raise UserError(
                f"{self.path} is no segmentation model: its output is {given};"
                " want logits [1, h, w, classes] or labels [1, h, w]"
            )
        if len(shape) != 4 or shape[3] != 3:
            raise UserError(
                f"{self.path} is no segmentation model: its input is {shape}; "
                "want one RGB image, [1, height, width, 3]"
            )
        if shape[0] != 1 or min(shape + given) < 1:
            raise UserError(
                f"{self.path} has the input {shape} and the output {given}; "
                "want one image and sizes that are fixed: export it again"
            )
        if source["dtype"] not in _INPUTS:
            raise UserError(
                f"{self.path} takes {source['dtype'].__name__}; want an input "
                "of int8, uint8 or float32"
            )
        return source, result

    def _check(self, source, result):
        """Makes sure that the tensors are as the description says."""
        described = self.description
        wanted = [1, *described.size, 3]
        if _signature(source) != wanted:
            raise UserError(
                f"{self.path} has the input {_signature(source)}, but its "
                f"description says {wanted}; export the model again"
            )
        wanted = [1, *described.output_size]
        is_logits = described.output == "logits"
        if is_logits:
            wanted.append(described.dataset.num_classes)
        if _signature(result) != wanted:
            raise UserError(
                f"{self.path} has the output {_signature(result)}, but its "
                f"description says {described.output}, {wanted}; export the "
                "model again"
            )
        dtype = np.dtype(result["dtype"])
        if is_logits and dtype.type not in _INPUTS:
            raise UserError(
                f"{self.path} gives logits as {dtype}; want int8, uint8 or "
                "float32"
            )
        if not is_logits and dtype.kind not in "iu":
            raise UserError(
                f"{self.path} gives labels as {dtype}; want integers"
            )

    def _unprepared(self, error):
        """The fault where the interpreter does not take the model."""
        text = " ".join(str(error).split())
        if self.accelerator is not None:
            return delegate_faults.not_prepared(
                self.path, error, self.accelerator
            )
        if "edgetpu-custom-op" in text:
            return delegate_faults.no_delegate(self.path)
        if match := _CUSTOM.search(text):
            return UserError(
                f"{self.path} has the custom operator {match[1]}, which does "
                "not run here; export the model again"
            )
        return UserError(f"{self.path} does not run here: {text}")


def as_input(image, dtype):
    """A uint8 image as a model's input: its bytes, less 128 for int8.

    That is what the input of an integer model stands for, whatever its scale;
    a float model takes 0..255.
    """
    if dtype == np.int8:
        return (image ^ 0x80).view(np.int8)
    return image.astype(dtype)


def _signature(details):
    """A tensor's shape, -1 where a size is not fixed."""
    return details["shape_signature"].tolist()

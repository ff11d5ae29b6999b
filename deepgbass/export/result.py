"""What an export made, and one that its gates did not let pass."""

import dataclasses
import pathlib

from deepgbass.export.fidelity import FidelityReport
from deepgbass.export.gates import FidelityError
from deepgbass.export.output_folder import SUFFIXES
from deepgbass.export.preflight_report import PreflightReport


@dataclasses.dataclass(frozen=True)
class ExportResult:
    """What an export made.

    Attributes:
        path: of the `.tflite` file; the others lie beside it.
        name: of the experiment.
        fidelity: `FidelityReport`: the Keras network beside the exported form
            ("int8", "qat_int8" or "float_tflite").
        preflight: `PreflightReport`; None of a float model.
        description: dict, as it lies within the model.
    """

    path: pathlib.Path
    name: str
    fidelity: FidelityReport
    preflight: PreflightReport | None
    description: dict

    @property
    def metrics(self) -> dict:
        """Form -> metrics, as `deepgbass.evaluate` gives them."""
        return self.description["metrics"]

    @property
    def files(self) -> list[pathlib.Path]:
        """The model and what lies beside it."""
        paths = map(self.path.with_suffix, SUFFIXES)
        return [path for path in paths if path.exists()]


class RejectedExport(FidelityError):
    """An export that lost more than its gates allow.

    Attributes:
        result: `ExportResult`, of files in the folder `rejected`.
    """

    def __init__(self, message, result):
        super().__init__(message)
        self.result = result

"""One trial of a table: trains, measures and exports one network.

Examples:
  python -m deepgbass.ablation.trial --config=runs/demo/full/seed0.json \\
      --workdir=runs/demo/full/seed0 --data_dir=runs/demo/data \\
      --quantizations=int8

What `python -m deepgbass.ablation` runs for every row and seed. Stopped, the
same command goes on where it was; what is done is not done again.
"""

import dataclasses
import json
import pathlib
import signal
import sys

from absl import flags

from deepgbass.commands import cli
from deepgbass.configs import ExperimentConfig, differences
from deepgbass.errors import UserError
from deepgbass.files import write_atomic
from deepgbass.presets import get_config

FILE_NAME = "trial.json"


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """What is known of a trial, stage by stage.

    Attributes:
        config: `ExperimentConfig` that it was made with.
        metrics: dict of a form -> metrics, as `deepgbass.evaluate` gives
            them: "float" (the Keras network), then `form_of` each
            quantisation, as far as they are done.
        parameters: trainable ones.
        gflops: of an image of `data.eval_size`, by the rule of Table II.
        versions: `versions.provenance` of the process that measured it.
    """

    config: ExperimentConfig
    metrics: dict
    parameters: int
    gflops: float
    versions: dict

    def to_json(self):
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def has(self, config, quantizations):
        """Whether it is a trial of that configuration, with all forms."""
        wanted = {"float", *map(form_of, quantizations)}
        return not differences(self.config, config) and wanted <= set(
            self.metrics
        )


def read_result(folder):
    """The `TrialResult` in a trial's folder; None if there is none yet.

    Raises:
        UserError: the file is not one.
    """
    path = pathlib.Path(folder) / FILE_NAME
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text())
        config = ExperimentConfig.from_json(json.dumps(values.pop("config")))
        return TrialResult(config=config, **values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is not a trial's result ({error}); remove it, and the "
            "trial is measured again"
        ) from None


def form_of(quantization):
    """What tables call an exported network: "float" is the Keras one's."""
    return "float_tflite" if quantization == "float" else quantization


def run_trial(config, folder, data_dir, quantizations):
    """Does what is not done yet; after each stage it is on the disk.

    Args:
        config: `ExperimentConfig`.
        folder: its work directory, also of the exports and of trial.json.
        data_dir: folder of records.
        quantizations: of `export`, in order.

    Returns:
        `TrialResult`.

    Raises:
        UserError: as training, evaluation and export.
        Interrupted: of `training`.
    """
    from deepgbass import experiment
    from deepgbass.export.exporter import export

    folder = pathlib.Path(folder)
    experiment.check_workdir(config, folder)
    result = read_result(folder)
    if result is None:
        result = _trained(config, folder, data_dir)
        write_atomic(folder / FILE_NAME, result.to_json())
    for quantization in quantizations:
        form = form_of(quantization)
        if form in result.metrics:
            continue
        exported = export(
            folder,
            folder / "export",
            data_dir,
            quantization=quantization,
            float_metrics=result.metrics["float"],
        )
        (metrics,) = (
            metrics for name, metrics in exported.metrics.items()
            if name != "float"
        )  # fmt: skip
        result.metrics[form] = metrics
        write_atomic(folder / FILE_NAME, result.to_json())
    return result


def _trained(config, folder, data_dir):
    from deepgbass.data.dataset_info import DatasetInfo
    from deepgbass.evaluation.run_evaluation import (
        CheckpointMeter,
        evaluate_run,
    )
    from deepgbass.experiment import make_model
    from deepgbass.ledger import ledger, total
    from deepgbass.training.loop import train
    from deepgbass.versions import provenance

    train(config, folder, data_dir, CheckpointMeter(folder, data_dir))
    metrics = evaluate_run(config, folder, data_dir).metrics["float"]
    classes = DatasetInfo.load(folder).num_classes
    costs = total(
        ledger(make_model(config.model, classes, config.data.eval_size))
    )
    return TrialResult(
        config,
        {"float": metrics},
        costs.parameters,
        costs.gflops,
        provenance(),
    )


def define_flags():
    """Not at import: this module is also a library."""
    flags.DEFINE_string(
        "config", None, "JSON file of the configuration.", required=True
    )
    flags.DEFINE_string("workdir", None, "The trial's folder.", required=True)
    flags.DEFINE_string("data_dir", None, "Folder of TFRecords.", required=True)
    flags.DEFINE_list("quantizations", [], "What to export the network as.")


def main(_):
    values = flags.FLAGS
    config = get_config(values.config)
    cli.import_tensorflow()
    from deepgbass.training.loop import Interrupted

    try:
        run_trial(config, values.workdir, values.data_dir, values.quantizations)
    except Interrupted as interruption:
        print(interruption)
        sys.exit(interruption.status)
    except KeyboardInterrupt:
        # While it measured or exported; of training, Interrupted.
        print("stopped; what was finished is saved")
        sys.exit(128 + signal.SIGINT)


def run():
    define_flags()
    cli.run(main)


if __name__ == "__main__":
    run()

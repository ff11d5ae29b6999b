"""deepgbass: segmentation networks that are sharp at class boundaries.

The public API, one name a line. Names are imported on first use, so that
`import deepgbass` is fast and does not import TensorFlow.
"""

import importlib
import sys
import types

from deepgbass.extras import advice

__version__ = "0.1.0"

_PUBLIC = {
    # Networks (Figs. 2 and 3).
    "build_model": "deepgbass.models",
    "DeepGuidedDecoder": "deepgbass.decoders.guided",
    "DeepGuidedBlock": "deepgbass.layers.guided",
    "box_filter": "deepgbass.layers.box",
    # Published weights.
    "load_zoo_weights": "deepgbass.zoo.loading",
    "recalibrate_batch_norm": "deepgbass.zoo.recalibration",
    "build_classifier": "deepgbass.classifier",
    # Semantic boundary-aware learning (Fig. 4, eqs. 1-3).
    "SemanticBoundaryLoss": "deepgbass.losses",
    "BoundaryWeightedCrossentropy": "deepgbass.losses",
    "SBALoss": "deepgbass.losses",
    "IgnoreCrossentropy": "deepgbass.losses",
    # Metrics.
    "MeanIoU": "deepgbass.metrics.mean_iou",
    "BoundaryF1": "deepgbass.metrics.boundary_f1",
    "boundary_f1": "deepgbass.metrics.boundary_f1",
    "BoundaryRule": "deepgbass.metrics.boundary_rule",
    "Tolerance": "deepgbass.metrics.boundary_rule",
    "BoundaryIoU": "deepgbass.metrics.boundary_iou",
    "DistanceBands": "deepgbass.metrics.distance_bands",
    "PairConfusion": "deepgbass.metrics.pair_confusion",
    # Data.
    "DatasetInfo": "deepgbass.data.dataset_info",
    "load_dataset": "deepgbass.data.pipeline",
    # Experiments.
    "ExperimentConfig": "deepgbass.configs",
    "PRESETS": "deepgbass.presets",
    "get_config": "deepgbass.presets",
    "evaluate": "deepgbass.evaluation.evaluator",
    "load_predictor": "deepgbass.predictors",
    "UserError": "deepgbass.errors",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'deepgbass' has no attribute {name!r}")
    try:
        module = importlib.import_module(_PUBLIC[name])
    except ModuleNotFoundError as error:
        if (text := advice(error)) is None:
            raise
        raise ImportError(f"deepgbass.{name}: {text}") from error
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_PUBLIC])


class _Package(types.ModuleType):
    """The package: a module in it never hides a public name.

    Python sets a package's attribute when one of its modules is imported, so
    that after `import deepgbass.evaluate`, the command, the function
    `deepgbass.evaluate` would be gone. The module is still imported by
    `from deepgbass.evaluate import ...`.
    """

    def __setattr__(self, name, value):
        if name not in _PUBLIC or not isinstance(value, types.ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

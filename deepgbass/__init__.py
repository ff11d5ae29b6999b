"""deepgbass: segmentation networks that are sharp at class boundaries.

The public API, one name a line. Names are imported on first use, so that
`import deepgbass` is fast and does not import TensorFlow.
"""

import importlib

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
    "evaluate": "deepgbass.evaluation",
    "load_predictor": "deepgbass.predictors",
    "UserError": "deepgbass.errors",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'deepgbass' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_PUBLIC])

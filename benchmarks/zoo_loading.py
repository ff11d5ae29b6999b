"""Seconds to load published weights, a row a file.

python benchmarks/zoo_loading.py [--folder=../shared]

Files that are absent from the folder are left out. Building the network is
not counted.
"""

import pathlib
import time

from absl import flags

from deepgbass.commands import cli

_FOLDER = flags.DEFINE_string(
    "folder",
    str(pathlib.Path(__file__).parents[2] / "shared"),
    "Folder with zoo/ and fixtures/deeplab/.",
)
_REPEATS = flags.DEFINE_integer(
    "repeats", 3, "Loads of each file; the fastest counts.", lower_bound=1
)

_EDGETPU = {"decoder": None, "last_layer": 24}
_V2 = {"backbone": "mobilenet_v2"}
_V3PLUS = {"decoder": "deeplab_v3plus", "decoder_channels": 256}
# None: the classifier.
_NETWORKS = {
    "fixtures/deeplab/mnedge_zoo_cityscapes": _EDGETPU,
    "fixtures/deeplab/mnv2_ade20k32": {**_V2, **_V3PLUS, "num_classes": 32},
    "fixtures/deeplab/xception65_narrow": {
        "backbone": "xception65",
        "depth_multiplier": 1 / 16,
        "aspp_channels": 32,
        "aspp_rates": (6, 12, 18),
        "decoder": "deeplab_v3plus",
        "decoder_channels": 32,
        "num_classes": 21,
    },
    "zoo/mobilenet_edgetpu_224_1.0_uint8.tflite": None,
    "zoo/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite": {
        **_EDGETPU,
        "depth_multiplier": 0.75,
        "last_layer_channels": 1280,
        "aspp_channels": 128,
    },
    "zoo/deeplabv3_mnv2_dm05_pascal_quant.tflite": {
        **_V2,
        "decoder": None,
        "depth_multiplier": 0.5,
        "width_divisor": 4,
        "num_classes": 21,
    },
    "zoo/deeplabv3_mnv2_ade20k_int8.tflite": {
        **_V2,
        **_V3PLUS,
        "num_classes": 32,
    },
}


def main(_):
    cli.import_tensorflow()
    from deepgbass.classifier import build_classifier
    from deepgbass.models import build_model
    from deepgbass.progress import console
    from deepgbass.zoo.loading import load_zoo_weights

    rows = []
    for name, arguments in _NETWORKS.items():
        path = pathlib.Path(_FOLDER.value) / name
        if not path.exists():
            continue
        if arguments is None:
            model = build_classifier()
        else:
            model = build_model(input_shape=(65, 65, 3), **arguments)
        seconds = []
        for _ in range(_REPEATS.value):
            began = time.perf_counter()
            with console.capture():
                report = load_zoo_weights(model, path)
            seconds.append(time.perf_counter() - began)
        rows.append((name, len(report.loaded), min(seconds)))
    print(f"{'file':60}{'weights':>8}{'seconds':>9}")
    for name, count, least in rows:
        print(f"{name:60}{count:8}{least:9.3f}")


if __name__ == "__main__":
    cli.run(main)

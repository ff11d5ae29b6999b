"""Our networks beside the TF1 DeepLab graphs of `../shared/fixtures`.

As a script it makes the numbers of `docs/parity.md` and prints its table:

    python tests/parity.py --fixtures=../shared/fixtures/deeplab \\
        --json=results/parity.json
"""

import argparse
import dataclasses
import json
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from tf1_reference import reference_checkpoint

from deepgbass.files import write_atomic
from deepgbass.keras_api import keras
from deepgbass.layers.resize import Resize
from deepgbass.models import build_model
from deepgbass.progress import track
from deepgbass.zoo.loading import load_zoo_weights


@dataclasses.dataclass(frozen=True)
class Case:
    """A fixture, the network that it was computed by, and what was tapped.

    Attributes:
        folder: of the fixture.
        arguments: of `build_model`.
        taps: the fixture's arrays and the names of our layers.
        suffix: of the fixture's arrays; those of one file differ in output
            stride.
    """

    folder: str
    arguments: dict
    taps: dict
    suffix: str = ""

    def __str__(self):
        return f"{self.folder}{self.suffix}"


_ASPP = {"aspp_out": "concat_projection_relu"}
_DECODER = {"decoder_out": "decoder_conv1_pointwise_relu"}
_EDGETPU = _ASPP | {
    "l3": "expanded_conv_1_project_bn",
    "l6": "expanded_conv_4_add",
    "l10": "expanded_conv_8_add",
    "l15": "expanded_conv_13_project_bn",
    "l18": "expanded_conv_16_add",
    "l23": "expanded_conv_21_project_bn",
}
_XCEPTION = (
    _ASPP
    | _DECODER
    | {
        "conv1_2": "entry_flow_conv1_2_relu",
        "low_level": "entry_flow_block2_unit_1_separable_conv2_pointwise_bn",
        "entry": "entry_flow_block3_unit_1_add",
        "middle": "middle_flow_block1_unit_16_add",
        "exit1": "exit_flow_block1_unit_1_add",
        "features": ("exit_flow_block2_unit_1_separable_conv3_pointwise_relu"),
    }
)

CASES = (
    Case(
        "mnedge_dlv3d256",
        {"decoder": "deeplab_v3plus", "decoder_channels": 256},
        _EDGETPU
        | _DECODER
        | {
            "low_level": "expanded_conv_4_expand_relu",
            "features": "expanded_conv_21_project_bn",
        },
    ),
    *[
        Case(
            "mnedge_zoo_cityscapes",
            {"decoder": None, "last_layer": 24, "output_stride": stride},
            _EDGETPU | {"features": "Conv_1_relu"},
            f"_os{stride}",
        )
        for stride in (32, 16, 8)
    ],
    Case(
        "mnv2_ade20k32",
        {
            "backbone": "mobilenet_v2",
            "decoder": "deeplab_v3plus",
            "decoder_channels": 256,
            "num_classes": 32,
        },
        _ASPP
        | _DECODER
        | {
            "l4_dw": "expanded_conv_2_depthwise_relu",
            "l7": "expanded_conv_5_add",
            "l14": "expanded_conv_12_add",
            "l18": "expanded_conv_16_project_bn",
            "features": "expanded_conv_16_project_bn",
        },
    ),
    *[
        Case(
            "xception65_narrow",
            {
                "backbone": "xception65",
                "depth_multiplier": 1 / 16,
                "decoder": "deeplab_v3plus",
                "decoder_channels": 32,
                "aspp_channels": 32,
                "aspp_rates": rates,
                "num_classes": 21,
                "output_stride": stride,
            },
            _XCEPTION,
            f"_os{stride}",
        )
        for stride, rates in ((16, (6, 12, 18)), (8, (12, 24, 36)))
    ],
)


def errors(case, folder):
    """Greatest errors of a network as a share of the tensors' maxima.

    Returns:
        dict of floats for every array of the fixture: its tapped layers, the
        logits, and `argmax`: by how much our upsampled logits prefer another
        label than the fixture's, 0 where none differs.
    """
    folder = pathlib.Path(folder) / case.folder
    data = np.load(folder / "io.npz")
    keys = {
        key.removesuffix(case.suffix): key
        for key in data
        if key.endswith(case.suffix) and key != "input"
    }
    assert set(keys) == {*case.taps, "logits", "argmax"}
    images = data["input"]
    model = build_model(
        input_shape=images.shape[1:], align_corners=True, **case.arguments
    )
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = reference_checkpoint(folder, pathlib.Path(scratch))
        report = load_zoo_weights(model, checkpoint)
    assert report.missing == report.skipped == ()
    layers = case.taps | {"logits": "logits"}
    outputs = {k: model.get_layer(name).output for k, name in layers.items()}
    results = keras.Model(model.input, outputs)(images)
    found = {
        key: float(
            np.abs(ours - data[keys[key]]).max() / np.abs(data[keys[key]]).max()
        )
        for key, ours in results.items()
    }
    whole = Resize(images.shape[1:3], align_corners=True)(results["logits"])
    theirs = tf.gather(whole, data[keys["argmax"]], batch_dims=3)
    regret = tf.reduce_max(tf.reduce_max(whole, -1) - theirs)
    found["argmax"] = float(regret / tf.reduce_max(tf.abs(whole)))
    return found


def table(results):
    """Markdown table of `{case: errors}`."""
    lines = [
        "| Fixture | Tensors | Worst | Error | Logits | Argmax |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in results.items():
        worst = max(found, key=found.get)
        cells = (name, len(found), worst, *(
            f"{found[key]:.1e}" for key in (worst, "logits", "argmax")
        ))  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixtures", type=pathlib.Path, required=True)
    parser.add_argument("--json", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    results = {
        str(case): errors(case, arguments.fixtures)
        for case in track(CASES, "Parity", len(CASES))
    }
    write_atomic(arguments.json, json.dumps(results, indent=2) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()

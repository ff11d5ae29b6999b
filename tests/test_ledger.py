import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from deepgbass.ledger import TABLE_2, TABLE_2_SIZE, ledger, total
from deepgbass.models import build_model


@pytest.mark.parametrize("row", TABLE_2, ids=lambda row: row.name)
def test_all_of_table_2_rounds_to_what_the_paper_prints(row):
    arguments = row.model.build_arguments()
    model = build_model(input_shape=(*TABLE_2_SIZE, 3), **arguments)
    found = total(ledger(model))
    assert f"{found.gflops:.0f}" == row.gflops
    assert f"{found.parameters / 1e6:.2f}" == row.parameters


ZOO = {"decoder": None, "last_layer": 24}
DEEPLAB = {"decoder": "deeplab_v3plus", "decoder_channels": 256}


@pytest.mark.parametrize(
    ("arguments", "size", "giga_macs", "parameters"),
    [
        ({"decoder": None}, (1024, 2048), 50.15, 2_797_907),
        (ZOO | {"output_stride": 32}, (513, 513), 5.50, 3_603_283),
        (ZOO | {"output_stride": 16}, (513, 513), 7.09, 3_603_283),
        (
            ZOO
            | {
                "output_stride": 32,
                "depth_multiplier": 0.75,
                "aspp_channels": 128,
            },
            (513, 513),
            3.41,
            None,
        ),
        (
            {"backbone": "mobilenet_v2", "decoder": None},
            (1025, 2049),
            21.26,
            None,
        ),
        (
            DEEPLAB | {"backbone": "mobilenet_v2", "num_classes": 32},
            (65, 97),
            None,
            2_273_936,
        ),
        pytest.param(
            DEEPLAB | {"backbone": "xception65", "aspp_rates": (6, 12, 18)},
            (1025, 2049),
            418.63,
            41_054_899,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_published_networks_cost_what_tf1_profiled(
    arguments, size, giga_macs, parameters
):
    found = total(ledger(build_model(input_shape=(*size, 3), **arguments)))
    # The profiler also counts what is not a convolution.
    if giga_macs:
        assert found.gflops / 2 == pytest.approx(giga_macs, rel=0.004)
    assert parameters in (None, found.parameters)


def test_stages_add_up_to_what_tensorflow_counts():
    model = build_model(
        depth_multiplier=0.25, input_shape=(64, 96, 3), batch_size=1
    )
    entries = ledger(model)
    assert [entry.stage for entry in entries] == [
        *(f"backbone, stride {stride}" for stride in (2, 4, 8, 16)),
        "ASPP",
        "low-level feature",
        "guided block",
        "decoder",
        "logits",
    ]
    assert total(entries).parameters == sum(
        int(np.prod(v.shape)) for v in model.trainable_variables
    )
    graph = tf.function(model).get_concrete_function(
        tf.TensorSpec(model.input_shape)
    )
    profile = tf.compat.v1.profiler.profile(
        graph.graph,
        options=tf.compat.v1.profiler.ProfileOptionBuilder(
            tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
        )
        .with_node_names(
            show_name_regexes=[".*Conv2D.*", ".*depthwise.*"],
        )
        .with_empty_output()
        .build(),
    )
    # The block's four box filters have no weights, but the profiler sees them.
    boxes = 4 * 2 * 9 * 16 * 24 * 64
    assert total(entries).gflops * 1e9 + boxes == pytest.approx(
        profile.total_float_ops, rel=0.01
    )


def test_stages_of_a_small_input_are_told_apart():
    # 2 pixels of 17 are stride 16, though 17 / 2 is nearer to 8.
    model = build_model(depth_multiplier=0.25, input_shape=(17, 40, 3))
    stages = [entry.stage for entry in ledger(model)]
    assert stages[:4] == [f"backbone, stride {s}" for s in (2, 4, 8, 16)]


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "deepgbass.ledger", *words],
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_command_prints_the_stages_of_a_preset():
    result = run("--config=demo", "--size=96,128", "--classes=5")
    assert result.returncode == 0, result.stderr
    for word in ("demo, 96 x 128, 5 classes", "guided block", "total"):
        assert word in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["--config=nonsense"],
        ["--size=12"],
        ["--classes=0"],
        pytest.param(["--size=8,8"], marks=pytest.mark.slow),
    ],
)
def test_bad_flags_are_named(words):
    result = run(*words)
    assert result.returncode
    assert words[-1].split("=")[0] in result.stderr.replace("flag ", "--")

import collections
import functools
import math

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from deepgbass.errors import UserError
from deepgbass.export.graph import export_graph
from deepgbass.export.tflite import to_float, to_int8
from deepgbass.keras_api import keras
from deepgbass.models import build_model

SMALL = {
    "depth_multiplier": 0.25,
    "aspp_channels": 16,
    "decoder_channels": 8,
    "num_classes": 5,
}
# Backbone, decoder, input size, output stride: even, odd and rectangular.
NETWORKS = [
    ("mobilenet_edgetpu", "guided", (33, 49), 16),
    ("mobilenet_edgetpu", "deeplab_v3plus", (50, 64), 8),
    ("mobilenet_edgetpu", None, (47, 90), 32),
    *(
        pytest.param(*network, marks=pytest.mark.slow)
        for network in (
            ("mobilenet_v2", "guided", (64, 64), 16),
            ("xception65", "guided", (36, 50), 16),
        )
    ),
]


@functools.cache
def network(backbone, decoder, size, output_stride):
    keras.utils.set_random_seed(0)
    return build_model(
        backbone,
        decoder=decoder,
        input_shape=(*size, 3),
        output_stride=output_stride,
        box_radius=2,
        **SMALL,
    )


def images(model, batch=2):
    shape = (batch, *model.input_shape[1:])
    r = np.random.default_rng(0)
    return r.uniform(0, 255, shape).astype("float32")


@pytest.mark.parametrize(
    ("backbone", "decoder", "size", "output_stride"), NETWORKS
)
def test_any_size_gives_logits_of_ceil_n_over_stride(
    backbone, decoder, size, output_stride
):
    model = network(backbone, decoder, size, output_stride)
    stride = 4 if decoder else output_stride
    expected = [math.ceil(n / stride) for n in size]
    assert list(model.output_shape) == [None, *expected, 5]


@pytest.mark.parametrize(
    ("backbone", "decoder", "size", "output_stride"), NETWORKS
)
def test_training_reaches_every_weight_with_a_finite_gradient(
    backbone, decoder, size, output_stride
):
    model = network(backbone, decoder, size, output_stride)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(images(model), training=True) - 1) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    for v, g in zip(model.trainable_variables, gradients, strict=True):
        assert np.isfinite(g).all(), v.name
        assert np.abs(g).max() > 0, v.name


def test_weights_and_architecture_survive_a_round_trip(tmp_path):
    model = network(*NETWORKS[0])
    image = images(model)
    expected = model(image)
    model.save_weights(tmp_path / "x.weights.h5")
    # Quantisation-aware training clones a model through its layers' configs.
    clone = keras.models.clone_model(model)
    assert np.abs(clone(image) - expected).max() > 0
    clone.load_weights(tmp_path / "x.weights.h5")
    np.testing.assert_array_equal(clone(image), expected)


def test_graph_is_flat_and_logits_are_float32_in_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = build_model(**SMALL, input_shape=(33, 33, 3), batch_size=1)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert not any(isinstance(x, keras.Model) for x in model.layers)
    assert model.get_layer("decoder_conv0_pointwise").output.dtype == "bfloat16"
    assert model.output.dtype == "float32"
    assert model.output_shape == (1, 9, 9, 5)


@pytest.mark.slow
def test_int8_graph_is_what_the_edge_tpu_maps():
    model = build_model(**SMALL, input_shape=(33, 49, 3), batch_size=1)
    content = to_int8(
        to_float(export_graph(model)), images(model, 4).astype(np.uint8)
    )
    interpreter = Interpreter(model_content=content)
    tensors = {t["index"]: t for t in interpreter.get_tensor_details()}
    assert {t["dtype"] for t in tensors.values()} == {np.int8, np.int32}
    nodes = interpreter._get_ops_details()
    assert collections.Counter(node["op_name"] for node in nodes) == {
        # Backbone, ASPP, guide, coefficients, separable, logits.
        "CONV_2D": 44 + 3 + 2 + 3 + 2 + 1,
        # Backbone, box means, separable.
        "DEPTHWISE_CONV_2D": 13 + 4 + 2,
        # Shortcuts (one more than at full width: layers 1 and 2 are as wide),
        # pooled branch, block: no batch norm is left loose.
        "ADD": 16 + 1 + 1,
        # Window counts, products of the block.
        "MUL": 4 + 3,
        "TANH": 1,
        "SUB": 2,
        "CONCATENATION": 2,
        "MEAN": 1,
        "RESIZE_BILINEAR": 1,
    }
    (resize,) = (n for n in nodes if n["op_name"] == "RESIZE_BILINEAR")
    assert tuple(tensors[resize["inputs"][0]]["shape"]) == (1, 3, 4, 8)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("backbone", "resnet"),
        ("backbone", ["xception65"]),
        ("decoder", "fpn"),
        ("decoder_channels", 0),
        ("num_classes", 2.5),
        ("num_classes", True),
        ("input_shape", (None, 64, 3)),
        ("input_shape", (64, 64)),
        ("input_shape", (64, 64, 1)),
        ("input_shape", (16, 64, 3)),
        ("output_stride", 4),
        ("depth_multiplier", -1),
        ("input_shape", None),
        ("output_stride", "16"),
        ("depth_multiplier", "1"),
        ("depth_multiplier", float("nan")),
        ("depth_multiplier", float("inf")),
        ("inputs", 3),
        ("aspp_rates", (6, 0)),
        ("aspp_rates", None),
        ("box_radius", 0),
        ("last_layer", 10),
        ("last_layer_channels", 0),
        ("last_layer_channels", 1280),
        ("first_layer", 2),
        ("width_divisor", 4),
        ("batch_norm_momentum", 2),
        ("batch_norm_momentum", "0.9"),
        ("batch_size", 0),
    ],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(UserError, match=f"^{argument}: "):
        build_model(**{argument: value})

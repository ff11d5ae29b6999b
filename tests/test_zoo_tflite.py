import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from deepgbass.errors import UserError
from deepgbass.keras_api import keras
from deepgbass.zoo.tflite import read_convolutions, slim_scope
from deepgbass.zoo.tflite_variables import match_by_order, read_tflite

OPERATORS = schema.BuiltinOperator
TYPES = {
    "uint8": schema.TensorType.UINT8,
    "int8": schema.TensorType.INT8,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "float16": schema.TensorType.FLOAT16,
    "float32": schema.TensorType.FLOAT32,
}


class Graph:
    """Writes a `.tflite` file of a few operations, without a converter."""

    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs, self.model.operatorCodes = [self.graph], []
        self.image = self.tensor("image")
        self.graph.inputs = [self.image]

    def tensor(self, name, values=None, scale=None, zero=0, axis=0):
        """Adds a tensor, constant if it has values; returns its index."""
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = [1] if values is None else list(values.shape)
        dtype = "float32" if values is None else values.dtype.name
        tensor.type = TYPES[dtype]
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        if scale is not None:
            parameters = schema.QuantizationParametersT()
            parameters.scale = list(np.atleast_1d(scale).astype(float))
            parameters.zeroPoint = [zero] * len(parameters.scale)
            parameters.quantizedDimension = axis
            tensor.quantization = parameters
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def add(self, builtin, inputs, custom=None):
        """Adds an operation; returns the index of its output."""
        code = schema.OperatorCodeT()
        code.builtinCode = builtin
        code.deprecatedBuiltinCode = min(builtin, 127)
        code.customCode = custom
        self.model.operatorCodes.append(code)
        op = schema.OperatorT()
        op.opcodeIndex = len(self.model.operatorCodes) - 1
        op.inputs = inputs
        op.outputs = [self.tensor(f"result{len(self.graph.operators)}")]
        self.graph.operators.append(op)
        return op.outputs[0]

    def convolution(self, weights, x=None, bias=None, depthwise=False):
        inputs = [self.image if x is None else x, weights]
        kind = OPERATORS.DEPTHWISE_CONV_2D if depthwise else OPERATORS.CONV_2D
        return self.add(kind, inputs + ([] if bias is None else [bias]))

    def write(self, path):
        self.graph.outputs = self.graph.operators[-1].outputs
        builder = flatbuffers.Builder()
        builder.Finish(self.model.Pack(builder), b"TFL3")
        path.write_bytes(builder.Output())
        return path


def integers(shape, dtype="int8"):
    limits = np.iinfo(dtype)
    r = np.random.default_rng(0)
    return r.integers(limits.min, limits.max, shape).astype(dtype)


def name_of(scope):
    return f"{scope}/Conv2D_Fold;{scope}/weights_quant/FakeQuantWithMinMaxVars"


def test_uint8_weights_and_int32_bias_are_dequantised(tmp_path):
    graph, weights = Graph(), integers((4, 3, 5, 2), "uint8")
    bias = integers((4,), "int32")
    graph.convolution(
        graph.tensor(name_of("M/Conv"), weights, 0.5, zero=130),
        bias=graph.tensor("bias", bias, 1e-6),
    )
    (found,) = read_convolutions(graph.write(tmp_path / "x"))
    assert (found.scope, found.depthwise) == ("M/Conv", False)
    assert found.kernel.shape == (3, 5, 2, 4)
    expected = 0.5 * (float(weights[3, 2, 4, 1]) - 130)
    assert found.kernel[2, 4, 1, 3] == expected
    scale = np.float64(np.float32(1e-6))
    np.testing.assert_array_equal(found.bias, bias * scale)


def test_int8_depthwise_weights_have_a_scale_a_channel(tmp_path):
    graph, weights = Graph(), integers((1, 3, 3, 4))
    scales = [0.5, 1.0, 2.0, 4.0]
    tensor = graph.tensor("a/depthwise/depthwise", weights, scales, axis=3)
    graph.convolution(tensor, depthwise=True)
    (found,) = read_convolutions(graph.write(tmp_path / "x"))
    assert found.scope == "a/depthwise"
    np.testing.assert_array_equal(
        found.kernel[..., 0], weights[0] * np.array(scales)
    )
    np.testing.assert_array_equal(found.bias, np.zeros(4))


@pytest.mark.parametrize("half", [False, True])
def test_float_weights_are_read_behind_a_dequantisation_too(tmp_path, half):
    graph = Graph()
    weights = np.linspace(-1, 1, 24).reshape(4, 1, 1, 6)
    weights = weights.astype("float16" if half else "float32")
    tensor = graph.tensor("a/weights", weights)
    if half:
        tensor = graph.add(OPERATORS.DEQUANTIZE, [tensor])
        graph.graph.tensors[tensor].name = "a/weights"
    graph.convolution(tensor)
    (found,) = read_convolutions(graph.write(tmp_path / "x"))
    np.testing.assert_array_equal(
        found.kernel[0, 0], weights[:, 0, 0].T.astype(np.float64)
    )


@pytest.mark.parametrize(
    ("name", "depthwise", "scope"),
    [
        # As in Coral's and in MLPerf's files: names of other layers, which
        # shared a constant, are joined to the layer's own.
        (name_of("aspp0"), False, "aspp0"),
        ("logits/semantic/Conv2D", False, "logits/semantic"),
        (
            "a/depthwise/BatchNorm/FusedBatchNormV3;a/depthwise/depthwise;"
            "logits/semantic/Conv2D",
            True,
            "a/depthwise",
        ),
        (
            "c1_depthwise/BatchNorm/FusedBatchNormV3;c1_depthwise/depthwise;"
            "c1_pointwise/BatchNorm/FusedBatchNormV3;c1_pointwise/weights",
            True,
            "c1_depthwise",
        ),
        (
            "b2/depthwise/BatchNorm/FusedBatchNormV3;b2/depthwise/depthwise;"
            "b3/depthwise/depthwise",
            True,
            "b2/depthwise",
        ),
        ("arith.constant12", False, None),
        ("a/weights;b/weights", False, None),
    ],
)
def test_the_scope_is_in_the_name_of_the_weights(name, depthwise, scope):
    assert slim_scope(name, depthwise) == scope


def chain(names, shapes):
    graph, x = Graph(), None
    for name, shape in zip(names, shapes, strict=True):
        x = graph.convolution(graph.tensor(name, np.ones(shape, "f4")), x)
    return graph


def test_nameless_layers_in_a_chain_are_known_by_order(tmp_path):
    shapes = [(8, 1, 1, 3), (8, 1, 1, 8), (8, 1, 1, 8)]
    path = chain("xyz", shapes).write(tmp_path / "x")
    layers = [
        ("first", False, (1, 1, 3, 8)),
        ("second", False, (1, 1, 8, 8)),
        ("third", False, (1, 1, 8, 8)),
    ]
    found = read_convolutions(path)
    names = match_by_order(path, found, layers)
    assert names == ["first", "second", "third"]
    with pytest.raises(UserError, match="nor does their order"):
        match_by_order(path, found, layers[:2])


def test_nameless_branches_are_an_error(tmp_path):
    graph = Graph()
    weights = [graph.tensor(n, np.ones((8, 1, 1, 3), "f4")) for n in "xy"]
    ends = [graph.convolution(w) for w in weights]
    graph.add(OPERATORS.CONCATENATION, ends)
    path = graph.write(tmp_path / "x")
    layers = [(name, False, (1, 1, 3, 8)) for name in ("aspp0", "pooling")]
    with pytest.raises(UserError, match="nor does their order"):
        match_by_order(path, read_convolutions(path), layers)


def test_biases_go_into_batch_norms_or_stay_biases(tmp_path):
    graph = Graph()
    weights = np.ones((4, 1, 1, 3), "f4")
    biases = np.arange(4, dtype="f4")
    x = graph.convolution(
        graph.tensor("a/weights", weights), bias=graph.tensor("p", biases)
    )
    last = graph.tensor("b/weights", np.ones((2, 1, 1, 4), "f4"))
    graph.convolution(last, x)
    image = keras.Input((1, 1, 3))
    y = keras.layers.Conv2D(4, 1, use_bias=False, name="a")(image)
    y = keras.layers.BatchNormalization(epsilon=0.5, name="a_bn")(y)
    y = keras.layers.Conv2D(2, 1, name="b")(y)
    path = graph.write(tmp_path / "x")
    values, notes = read_tflite(path, keras.Model(image, y))
    assert set(values) == {
        *("a/weights", "a/BatchNorm/gamma", "a/BatchNorm/beta"),
        *("a/BatchNorm/moving_mean", "a/BatchNorm/moving_variance"),
        *("b/weights", "b/biases"),
    }
    assert notes == ()
    np.testing.assert_array_equal(values["a/BatchNorm/beta"], biases)
    np.testing.assert_allclose(values["a/BatchNorm/gamma"], 1.5**0.5)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (
            lambda g: g.add(OPERATORS.CUSTOM, [g.image], "edgetpu-custom-op"),
            "compiled for the Edge TPU",
        ),
        (lambda g: g.add(OPERATORS.FULLY_CONNECTED, [g.image]), "FULLY_CONN"),
        (lambda g: g.add(OPERATORS.CUSTOM, [g.image], "mine"), "holds mine"),
        (lambda g: g.add(OPERATORS.SOFTMAX, [g.image]), "no convolution"),
        (
            lambda g: g.add(
                OPERATORS.ADD, [g.image, g.tensor("c", np.ones(3, "f4"))]
            ),
            "adds a constant",
        ),
        (
            lambda g: g.convolution(g.tensor("deepgbass/x", np.ones(1, "f4"))),
            "exported by this package",
        ),
        (
            lambda g: g.convolution(g.tensor("a", np.ones((1, 2), "f4"))),
            "has not 4 dimensions",
        ),
        (lambda g: g.convolution(g.image), "computed, not stored"),
        (
            lambda g: g.convolution(g.tensor("a", np.ones((1, 1), "int64"))),
            "type that is not read",
        ),
        (
            lambda g: g.convolution(g.tensor("a", np.ones((1, 1), "int8"))),
            "no scale",
        ),
        (
            lambda g: g.convolution(
                g.tensor("a", np.ones((4, 1, 1, 2), "f4")),
                bias=g.tensor("b", np.ones(3, "f4")),
            ),
            "bias of a has shape",
        ),
    ],
)
def test_other_networks_are_named(tmp_path, build, said):
    graph = Graph()
    weights = graph.tensor("ok/weights", np.ones((1, 1, 1, 3), "f4"))
    if said != "no convolution":
        graph.convolution(weights)
    build(graph)
    with pytest.raises(UserError, match=said) as error:
        read_convolutions(graph.write(tmp_path / "x.tflite"))
    assert "x.tflite" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_cut_file_is_named(tmp_path, kept):
    path = chain("xy", [(8, 1, 1, 64)] * 2).write(tmp_path / "x.tflite")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match="corrupt or cut short"):
        read_convolutions(path)

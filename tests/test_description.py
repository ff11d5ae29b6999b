"""What an exported model says about itself, beside it and within it."""

import dataclasses
import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from fake_edgetpu_compiler import model_with
from tiny import tiny_config

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.manifest import Statistics
from deepgbass.errors import UserError
from deepgbass.export.choices import OUTPUTS
from deepgbass.export.describe import describe
from deepgbass.export.description import (
    ENTRY,
    FORMAT,
    parse,
    read_description,
    write_described,
)
from deepgbass.export.metadata import read_metadata, write_metadata
from deepgbass.export.tflite import to_float, to_int8

pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized")

INFO = DatasetInfo(
    "two", ("a", "b"), ((0, 0, 0), (255, 0, 0)), protocol="merged"
)
COUNTED = Statistics((8, 8), (8, 8), (8, 8), (60, 4), 0)
CONFIG = tiny_config()
SHAPES = {
    "logits": (1, 4, 6, 2),
    "labels": (1, 4, 6),
    "full": (1, 16, 24),
}


def network(output):
    """A TFLite file (16, 24) -> one of `SHAPES`, int8 or int64."""

    def call(image):
        logits = tf.nn.avg_pool2d(image, 4, 4, "SAME")[..., :2]
        if output == "full":
            logits = tf.image.resize(logits, (16, 24))
        return logits if output == "logits" else tf.argmax(logits, -1)

    concrete = tf.function(call).get_concrete_function(
        tf.TensorSpec((1, 16, 24, 3), tf.float32)
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if output == "logits":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        image = np.linspace(0, 255, 16 * 24 * 3, dtype=np.float32)
        converter.representative_dataset = lambda: [
            [image.reshape(1, 16, 24, 3)]
        ]
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return converter.convert()


@pytest.fixture(scope="module")
def models():
    return {output: network(output) for output in OUTPUTS}


@pytest.fixture
def values(models):
    return describe(models["logits"], INFO, CONFIG, quantization="int8", step=7)


@pytest.fixture
def written(tmp_path, models, values):
    """A model with its description at both places."""
    path = tmp_path / "model_int8.tflite"
    write_described(path, models["logits"], values)
    return path


def test_it_says_all_that_a_user_needs(values):
    assert values["format"] == FORMAT
    assert values["input"]["size"] == [16, 24]
    assert values["input"]["channels"] == "RGB"
    assert values["input"]["dtype"] == "int8"
    # 0..255 as int8.
    assert values["input"]["scale"] == pytest.approx(1.0)
    assert values["input"]["zero_point"] == -128
    assert values["input"]["range"] == [-128, 127]
    assert values["input"]["takes"] == "byte - 128"
    # (byte - mean) / std is what the integer stands for.
    assert (values["input"]["mean"], values["input"]["std"]) == (0, 1.0)
    assert values["output"]["size"] == [4, 6]
    assert values["output"]["stride"] == 4
    assert "half-pixel centres" in values["output"]["resize"]
    assert values["dataset"]["class_names"] == ["a", "b"]
    assert values["dataset"]["colors"] == [[0, 0, 0], [255, 0, 0]]
    assert values["dataset"]["protocol"] == "merged"
    text = CONFIG.to_json().encode()
    assert values["config_sha256"] == hashlib.sha256(text).hexdigest()
    assert values["config"] == json.loads(text)
    assert values["step"] == 7 and values["compiled"] is None
    assert "tensorflow" in values["versions"]
    assert json.loads(json.dumps(values)) == values


@pytest.mark.parametrize(
    "kind, takes, extremes",
    [("int8", "byte - 128", [-128, 127]), ("uint8", "byte", [0, 255])],
)
def test_the_input_is_told_as_bytes_and_as_real_values(kind, takes, extremes):
    spec = tf.TensorSpec((1, 16, 24, 3), tf.float32)
    kernel = tf.ones((4, 4, 3, 2)) / 48
    graph = tf.function(
        lambda x: tf.nn.conv2d(x, kernel, 4, "SAME")
    ).get_concrete_function(spec)
    images = [np.zeros((16, 24, 3), np.uint8)]
    content = to_int8(to_float(graph), images, kind)
    found = describe(content, INFO, CONFIG, quantization="int8")["input"]
    assert (found["takes"], found["range"]) == (takes, extremes)
    assert (found["mean"], found["std"]) == (128, 127.5)
    # What a program makes of a byte by either pair of numbers is the same.
    for byte, integer in zip((0, 255), extremes, strict=True):
        real = (integer - found["zero_point"]) * found["scale"]
        assert real == pytest.approx((byte - found["mean"]) / found["std"])


def test_a_float_model_takes_bytes_as_they_are(models):
    found = describe(
        models["labels"], INFO, CONFIG, quantization="float", output="labels"
    )["input"]
    assert (found["takes"], found["range"]) == ("byte", [0, 255])
    assert (found["mean"], found["std"]) == (0, 1)


def test_what_the_training_decided_is_kept(models):
    config = CONFIG.with_overrides(
        ["data.resize_longer_side=60", "model.align_corners=true"]
    )
    values = describe(models["logits"], INFO, config, quantization="int8")
    found = parse(values)
    assert (found.longer_side, found.align_corners) == (60, True)
    assert "60" in values["input"]["fit"]
    assert "aligned corners" in values["output"]["resize"]


@pytest.mark.parametrize("output", OUTPUTS)
def test_every_kind_of_output_is_described(models, output):
    values = describe(
        models[output], INFO, CONFIG, quantization="float", output=output
    )
    found = parse(values)
    assert found.output == output
    assert found.output_size == SHAPES[output][1:3]
    assert found.stride == (1 if output == "full" else 4)


@pytest.mark.parametrize(
    "model, output", [("logits", "labels"), ("labels", "full")]
)
def test_an_output_that_the_model_does_not_give_is_refused(
    models, model, output
):
    with pytest.raises(UserError, match=f"is not '{output}'"):
        describe(
            models[model], INFO, CONFIG, quantization="int8", output=output
        )


def test_other_classes_than_the_models_are_refused(models):
    info = DatasetInfo("three", ("a", "b", "c"))
    with pytest.raises(UserError, match="3 classes"):
        describe(models["logits"], info, CONFIG, quantization="int8")
    with pytest.raises(UserError, match="none of"):
        describe(
            models["logits"], INFO, CONFIG, quantization="int8", output="x"
        )


def test_what_only_concerns_records_stays_out(models):
    info = dataclasses.replace(INFO, statistics={"val": COUNTED})
    values = describe(models["logits"], info, CONFIG, quantization="int8")
    assert values["dataset"]["statistics"] == {}


def test_both_places_hold_the_same(written, values):
    beside = json.loads(written.with_suffix(".json").read_text())
    inside = json.loads(read_metadata(written.read_bytes(), ENTRY))
    digest = hashlib.sha256(written.read_bytes()).hexdigest()
    assert beside.pop("sha256") == digest
    assert beside == inside == values


def test_it_is_read_from_beside_and_from_within(written, recwarn):
    beside = read_description(written)
    assert beside.dataset == INFO
    assert (beside.size, beside.padding) == ((16, 24), 128)
    assert "sha256" in beside.values
    written.with_suffix(".json").unlink()
    inside = read_description(written)
    assert "sha256" not in inside.values
    assert dataclasses.replace(inside, values={}) == dataclasses.replace(
        beside, values={}
    )
    assert not recwarn.list


def test_the_file_beside_the_model_wins(written):
    sidecar = written.with_suffix(".json")
    changed = json.loads(sidecar.read_text())
    changed["input"]["longer_side"] = 20
    sidecar.write_text(json.dumps(changed))
    assert read_description(written).longer_side == 20


@pytest.mark.parametrize(
    "text, reason",
    [
        (None, "sha256 is that of another file"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"{}", "no key 'format'"),
        (b'{"format": "deepgbass-model/1"}', "deepgbass-model/1"),
    ],
)
def test_a_file_beside_it_that_does_not_count_is_noticed(
    written, models, values, text, reason
):
    sidecar = written.with_suffix(".json")
    if text is None:  # That of another model.
        other = {**values, "step": 8}
        text = sidecar.read_bytes()
        write_described(written, models["logits"], other)
    sidecar.write_bytes(text)
    with pytest.warns(UserWarning, match=reason):
        found = read_description(written)
    assert found.size == (16, 24)
    # With nothing within, there is nothing to fall back on.
    written.write_bytes(models["logits"])
    with pytest.raises(UserError, match=reason) as error:
        read_description(written)
    assert "export it again" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_without_any_is_told_what_to_do(tmp_path, models):
    path = tmp_path / "m.tflite"
    path.write_bytes(models["logits"])
    with pytest.raises(UserError, match=r"no m\.json beside it.*export_tflite"):
        read_description(path)
    path.write_bytes(b"not a model")
    with pytest.raises(UserError, match="not a TFLite model"):
        read_description(path)
    path.unlink()
    with pytest.raises(UserError, match=r"m\.tflite cannot be read"):
        read_description(path)


def test_a_description_within_of_a_later_format_is_named(tmp_path):
    path = tmp_path / "m.tflite"
    later = b'{"format": "deepgbass-model/3"}'
    path.write_bytes(write_metadata(model_with(b"Other"), ENTRY, later))
    with pytest.raises(
        UserError, match=r"m\.tflite.*within.*deepgbass-model/3"
    ):
        read_description(path)


@pytest.mark.parametrize(
    "keys, value, reason",
    [
        (["input"], 3, "input is 3"),
        (["input", "size"], [0, 4], "size is"),
        (["input", "size"], "ab", "size is 'ab'"),
        (["input", "size"], [8.0, 4], "size is"),
        (["input", "longer_side"], "60", "longer_side is '60'"),
        (["input", "padding"], 300, "padding is 300"),
        (["output", "content"], "masks", "output is 'masks'"),
        (["output", "stride"], True, "stride is True"),
        (["output", "align_corners"], 1, "align_corners is 1"),
        (["dataset"], {}, "no key 'name'"),
        (["dataset", "colors"], [[0, 0, 0]], "1 colours for 2 classes"),
    ],
)
def test_a_wrong_value_is_named(values, keys, value, reason):
    place = values
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(UserError, match=reason):
        parse(values)


@pytest.mark.parametrize(
    "keys",
    [
        ["format"],
        ["input"],
        ["input", "size"],
        ["input", "padding"],
        ["output", "content"],
        ["output", "align_corners"],
        ["dataset"],
    ],
)
def test_a_missing_value_is_named(values, keys):
    place = values
    for key in keys[:-1]:
        place = place[key]
    del place[keys[-1]]
    with pytest.raises(UserError, match=f"no key '{keys[-1]}'"):
        parse(values)


def test_a_new_export_may_add_keys_and_replaces_both(written, models, values):
    values["sqnr"] = [{"operator": "CONV_2D", "db": 30.5}]
    size = written.stat().st_size
    write_described(written, written.read_bytes(), {**values, "sha256": "old"})
    assert read_description(written).values["sqnr"] == values["sqnr"]
    assert written.stat().st_size < size + 200  # Not one within the other.


def test_a_device_needs_neither_tensorflow_nor_an_interpreter(written):
    program = (
        "import sys\n"
        "for name in ('tensorflow', 'ai_edge_litert', 'flatbuffers', 'rich'):\n"
        "    sys.modules[name] = None\n"
        "from deepgbass.export.description import read_description\n"
        f"print(read_description({str(written)!r}).dataset.class_names)\n"
    )
    for _ in range(2):
        result = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout == "('a', 'b')\n"
        written.with_suffix(".json").unlink(missing_ok=True)

"""How a model is divided, read off real pairs and made-up files."""

import json
import sys

import pytest
from edgetpu_stand_in import write_model, write_pair

from deepgbass.errors import UserError
from deepgbass.ondevice import structure

# Compiled model of the zoo -> its operators on the CPU (edgetpu.md, 3).
ZOO = {
    "deeplab_mobilenet_edgetpu_slim_cityscapes_quant_edgetpu.tflite": {
        "RESIZE_BILINEAR": 1,
        "ARG_MAX": 1,
    },
    "deeplabv3_mnv2_dm05_pascal_quant_edgetpu.tflite": {
        "RESIZE_BILINEAR": 3,
        "QUANTIZE": 1,
        "CONCATENATION": 1,
        "CONV_2D": 2,
        "ARG_MAX": 1,
    },
}


@pytest.mark.parametrize("name", ZOO)
def test_a_published_model(shared, name):
    found = structure.read_structure(shared / "zoo" / name)
    assert found.subgraphs == 1
    assert found.cpu_operators == ZOO[name]
    assert found.min_runtime in (12, 13, 14)
    assert found.off_chip_bytes is not None
    assert found.parameters_from == "the compiled package"
    assert structure.is_compiled(shared / "zoo" / name)


def test_a_model_of_the_cpu_has_no_subgraph(tmp_path):
    path = tmp_path / "toy.tflite"
    write_model(path)
    found = structure.read_structure(path)
    assert (found.subgraphs, found.cpu_operators) == (0, {"RESHAPE": 1})
    assert found.off_chip_bytes is None
    assert not structure.is_compiled(path)


def test_the_compilers_log_is_believed_before_the_description(tmp_path):
    path = write_pair(tmp_path)
    values = {"compiled": {"on_chip_bytes": 4096, "off_chip_bytes": 512}}
    found = structure.read_structure(path, values)
    assert (found.on_chip_bytes, found.off_chip_bytes) == (4096, 512)
    assert found.parameters_from == "the model's description"
    log = {"on_chip_bytes": 7, "off_chip_bytes": 9}
    path.with_suffix(".log.json").write_text(json.dumps({"log": log}))
    found = structure.read_structure(path, values)
    assert found.off_chip_bytes == 9
    assert found.parameters_from == "toy_edgetpu.log.json"


@pytest.mark.parametrize("text", ["", "[]", '{"log": null}', '{"log": {}}'])
def test_a_log_of_another_kind_is_passed_over(tmp_path, text):
    path = write_pair(tmp_path)
    path.with_suffix(".log.json").write_text(text)
    found = structure.read_structure(path)
    assert found.off_chip_bytes is None and found.parameters_from == ""


def test_without_the_schema_only_compilation_is_known(tmp_path, monkeypatch):
    path = write_pair(tmp_path)
    monkeypatch.setitem(sys.modules, "deepgbass.export.tflite_reader", None)
    assert structure.read_structure(path) is None
    assert structure.is_compiled(path)
    assert not structure.is_compiled(tmp_path / "toy.tflite")


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("no model at all, but longer")
    with pytest.raises(UserError, match="not a TFLite file"):
        structure.is_compiled(path)

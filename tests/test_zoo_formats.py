import re

import pytest
import tensorflow as tf
from tf1_reference import write_checkpoint

from deepgbass.errors import UserError
from deepgbass.zoo.formats import identify


@pytest.fixture
def checkpoint(tmp_path):
    return write_checkpoint(tmp_path / "zoo/model.ckpt-90000", {"a": [1.0]})


@pytest.mark.parametrize(
    "path", ["", ".index", ".data-00000-of-00001", "folder"]
)
def test_a_checkpoint_is_found_by_any_of_its_paths(checkpoint, path):
    given = checkpoint.with_name(f"{checkpoint.name}{path}")
    found = identify(checkpoint.parent if path == "folder" else given)
    assert found.format == "TF1 checkpoint" and found.path == checkpoint


def test_a_tflite_file_needs_no_suffix(tmp_path):
    path = tmp_path / "weights.index"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(40))
    assert identify(path).format == "TFLite"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x1f\x8b" + bytes(30), "unpack it"),
        (bytes(257) + b"ustar" + bytes(30), "unpack it"),
        (b"PK\x03\x04" + bytes(30), "zip"),
        (b"\x89HDF\r\n\x1a\n" + bytes(30), "HDF5"),
        (b'model_checkpoint_path: "model.ckpt-5"', "names the newest"),
        (b"\x08\x01\x12\x80\x02\x0a\x10", "SavedModel"),
        (
            tf.Graph.as_graph_def,
            "frozen GraphDef",
        ),
        (b"\x89PNG\r\n", "neither a TF1 checkpoint"),
    ],
)
def test_other_files_are_named(tmp_path, content, said):
    if callable(content):
        with tf.Graph().as_default() as graph:
            tf.constant([0.0] * 1000, name="MobilenetV2/Conv/weights")
        content = content(graph).SerializeToString()
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as error:
        identify(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_missing_halves_of_a_checkpoint_are_named(checkpoint):
    (data,) = checkpoint.parent.glob("*.data-*")
    index = checkpoint.with_name(f"{checkpoint.name}.index")
    content = index.read_bytes()
    index.unlink()
    with pytest.raises(UserError, match="whose index .* is missing"):
        identify(data)
    with pytest.raises(UserError, match="without a checkpoint"):
        identify(checkpoint.parent)
    with pytest.raises(UserError, match="there is no such file"):
        identify(checkpoint)
    index.write_bytes(content)
    data.unlink()
    for path in (checkpoint, index, checkpoint.parent):
        with pytest.raises(UserError, match="weights are in that file"):
            identify(path)


def test_a_cut_or_renamed_index_is_named(checkpoint):
    index = checkpoint.with_name(f"{checkpoint.name}.index")
    content = index.read_bytes()
    renamed = index.with_name("weights.bin")
    renamed.write_bytes(content)
    with pytest.raises(UserError, match=re.escape("call it NAME.index")):
        identify(renamed)
    index.write_bytes(content[:-20])
    renamed.unlink()
    for path in (checkpoint, index, checkpoint.parent):
        with pytest.raises(UserError, match="cut short"):
            identify(path)


def test_folders_of_other_things_are_named(checkpoint):
    folder = checkpoint.parent
    write_checkpoint(folder / "model.ckpt-5", {"a": [1.0]})
    with pytest.raises(UserError, match=r"2 checkpoints.*model.ckpt-5"):
        identify(folder)
    (folder / "saved_model.pb").touch()
    with pytest.raises(UserError, match="SavedModel"):
        identify(folder)

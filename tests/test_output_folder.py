"""The folder of an export: what may be replaced, and in which order."""

import json
import os

import pytest
from tiny import SIZE, tiny_config

from deepgbass.errors import UserError
from deepgbass.export.output_folder import (
    REJECTED,
    SUFFIXES,
    discard_rejected,
    exporting,
    publish,
    refuse_other_model,
)

CONFIG = tiny_config()
NAMES = ("road", "car")
NAME = "model_int8.tflite"


SAME = (CONFIG, NAMES, SIZE, "logits", "int8")


def write_export(folder, content="new", config=CONFIG):
    """The files of an export, with a description as far as it is read."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in SUFFIXES:
        (folder / NAME).with_suffix(suffix).write_text(content)
    description = {
        "config": json.loads(config.to_json()),
        "dataset": {"class_names": list(NAMES)},
        "input": {"size": list(SIZE), "dtype": "int8", "scale": 1.0},
        "output": {"content": "logits"},
        "of": content,
    }
    (folder / NAME).with_suffix(".json").write_text(json.dumps(description))
    return folder


def test_an_earlier_export_may_be_replaced_and_no_other(tmp_path):
    refuse_other_model(tmp_path / "absent", *SAME)
    folder = write_export(tmp_path / "out")
    # What the compiler made of it belongs to it, and so does what failed.
    (folder / "model_int8_edgetpu.tflite").write_text("compiled")
    write_export(folder / REJECTED, config=tiny_config(seed=5))
    refuse_other_model(folder, *SAME)
    # What decides no weights may have changed since.
    calm = tiny_config(log_every=7)
    refuse_other_model(folder, calm, *SAME[1:])
    others = {
        "configuration": tiny_config(seed=5),
        "classes": ("road", "tree"),
        "size": (64, 64),
        "output": "labels",
        "input_type": "uint8",
    }
    for place, (name, other) in enumerate(others.items()):
        wanted = (*SAME[:place], other, *SAME[place + 1 :])
        with pytest.raises(
            UserError, match=f"another model .{NAME}; other: {name}.;"
        ):
            refuse_other_model(folder, *wanted)


def test_the_type_of_an_input_without_a_scale_is_not_asked_for(tmp_path):
    folder = write_export(tmp_path / "out")
    path = (folder / NAME).with_suffix(".json")
    description = json.loads(path.read_text())
    description["input"].update(dtype="float32", scale=0.0)
    path.write_text(json.dumps(description))
    refuse_other_model(folder, *SAME)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"config": 3}'])
def test_a_model_of_which_nobody_knows_is_not_replaced(tmp_path, text):
    folder = write_export(tmp_path / "out")
    description = (folder / NAME).with_suffix(".json")
    description.unlink()
    if text:
        description.write_text(text)
    with pytest.raises(UserError, match="choose another folder or remove it"):
        refuse_other_model(folder, *SAME)


def test_the_model_comes_last(tmp_path, monkeypatch):
    made, folder = write_export(tmp_path / "made"), tmp_path / "out"
    moved = []
    replace = os.replace

    def note(source, target):
        moved.append(target.suffix)
        replace(source, target)

    monkeypatch.setattr(os, "replace", note)
    publish(made, folder)
    assert moved[-1] == ".tflite" and set(moved[:-1]) == {".json"}
    assert not any(made.iterdir())
    assert len(list(folder.iterdir())) == len(SUFFIXES)


def test_a_rejected_export_goes_once_one_has_passed(tmp_path):
    folder = write_export(tmp_path / "out")
    path = folder / NAME
    discard_rejected(path)  # There was none.
    write_export(folder / REJECTED)
    other = folder / REJECTED / "model_qat_int8.tflite"
    other.write_text("of another quantisation")
    discard_rejected(path)
    assert list((folder / REJECTED).iterdir()) == [other]
    other.unlink()
    discard_rejected(path)
    assert not (folder / REJECTED).exists()
    assert path.read_text() == "new"


def test_a_file_in_the_folder_s_place_is_named(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="out is a file"):
        refuse_other_model(tmp_path / "out", *SAME)


def test_an_export_clears_what_killed_ones_left(tmp_path):
    folder = write_export(tmp_path / "out")
    kept = sorted(path.name for path in folder.iterdir())
    left = folder / f".{NAME}.abc.tmp"
    left.mkdir()
    (left / NAME).write_text("half")
    with exporting(folder / NAME):
        assert not left.exists()
    assert sorted(path.name for path in folder.iterdir()) == kept


def test_two_exports_to_one_folder_do_not_meet(tmp_path):
    path = tmp_path / NAME
    with exporting(path):
        for other in (path, tmp_path / "model_float.tflite"):
            with pytest.raises(UserError, match="another export writes here"):
                exporting(other).__enter__()
    with exporting(path):
        pass

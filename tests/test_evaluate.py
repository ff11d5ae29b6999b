"""The command: its name, its flags, and what it leaves in the folder."""

import importlib
import json
import subprocess
import sys

import numpy as np
import pytest
from absl import app
from conftest import ROOT, defined_flags
from edgetpu_stand_in import (
    NAMES,
    SIZE,
    build_library,
    write_model,
    write_pair,
)
from image_files import encode, random_image, random_label
from stored_results import write_results

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.record import Example
from deepgbass.data.tfrecord import write_split
from deepgbass.errors import UserError

# `import deepgbass.evaluate as command` would give the function.
command = importlib.import_module("deepgbass.evaluate")

FUNCTION = "from deepgbass import evaluate"
ORDERS = {
    "command first": f"import deepgbass.evaluate; {FUNCTION}",
    "function first": f"{FUNCTION}; import deepgbass.evaluate",
    "attribute": "import deepgbass; evaluate = deepgbass.evaluate; "
    "import deepgbass.evaluate",
    "entry point": f"from deepgbass.evaluate import run, main; {FUNCTION}",
}


@pytest.mark.parametrize("order", ORDERS)
def test_the_name_is_the_function_in_every_order_of_import(order):
    code = (
        f"{ORDERS[order]}; import deepgbass, sys; "
        "assert deepgbass.evaluate is evaluate; "
        "assert evaluate.__module__ == 'deepgbass.evaluation.evaluator'; "
        "assert sys.modules['deepgbass.evaluate'].main; "
        "print('tensorflow' in sys.modules)"
    )
    output = subprocess.check_output(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, text=True
    )
    assert output.strip() == "False"


def test_the_module_is_the_command():
    output = subprocess.run(
        [sys.executable, "-W", "error", "-m", "deepgbass.evaluate", "--help"],
        cwd=ROOT,
        text=True,
        capture_output=True,
    ).stdout
    assert "--save_predictions" in output and "--compare A B" in output


def evaluate(*words, **values):
    """Calls the command in this process."""
    with defined_flags(command, **values):
        command.main(["evaluate", *map(str, words)])


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    DatasetInfo("toy", NAMES).save(folder)
    examples = [
        Example(
            f"{number}.png",
            encode(random_image(rng, *SIZE)),
            encode(random_label(rng, *SIZE)),
        )
        for number in range(3)
    ]
    write_split(examples, folder, "val", 1)
    return str(folder)


def test_a_model_is_measured_and_compared(tmp_path, data_dir, capsys):
    for dtype in ("int8", "uint8"):
        (tmp_path / dtype).mkdir()
        write_model(tmp_path / dtype / "toy.tflite", dtype=dtype)
    one, other = (
        str(tmp_path / dtype / "toy.tflite") for dtype in ("int8", "uint8")
    )
    out = str(tmp_path / "out")
    evaluate(
        model=one,
        data_dir=data_dir,
        output_dir=out,
        save_predictions="dataset_ids",
        max_images=2,
    )
    output = capsys.readouterr().out
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert f"{metrics['miou']:.3f}" in output
    assert str(tmp_path / "out/report.html") in output
    assert len(list((tmp_path / "out/dataset_ids").iterdir())) == 2

    both = str(tmp_path / "both")
    evaluate(other, compare=[one], data_dir=data_dir, output_dir=both)
    output = capsys.readouterr().out
    assert "A: int8; B: uint8; 3 images" in output
    # The same network: its input's type changes nothing.
    assert "mIoU: uint8 and int8 do not differ." in output
    found = json.loads((tmp_path / "both/comparison.json").read_text())
    assert found["differences"][0]["ties"] == 3

    evaluate(f"{both}/uint8", compare=[f"{both}/int8"])
    assert "A: int8; B: uint8; 3 images" in capsys.readouterr().out
    # Stored results of two images, and a model measured on as many.
    evaluate(
        other,
        compare=[out],
        data_dir=data_dir,
        output_dir=str(tmp_path / "new"),
        max_images=2,
    )
    assert "2 images, of which" in capsys.readouterr().out


def test_an_unplugged_edge_tpu_leaves_what_was_measured(
    tmp_path, data_dir, monkeypatch
):
    values = {
        "model": str(write_pair(tmp_path)),
        "library": str(build_library(tmp_path)),
        "data_dir": data_dir,
        "output_dir": str(tmp_path / "out"),
    }
    monkeypatch.setenv("STAND_IN", "abort:3")
    with pytest.raises(UserError, match=r"SIGABRT.*replug.*2 of 3 images are"):
        evaluate(**values)
    monkeypatch.setenv("STAND_IN", "")
    evaluate(**values)
    found = json.loads((tmp_path / "out/metrics.json").read_text())
    assert (found["images"], found["form"]) == (3, "tflite, Edge TPU")


def test_scales_are_numbers_in_range():
    assert parse("0.75,1,1.25") == (0.75, 1.0, 1.25)
    for words, named in (
        ("1,two", "'two'"),
        ("0", "'0'"),
        ("nan", "'nan'"),
        ("1,5", "'5'"),
        ("1,1.0", "1.0 twice"),
    ):
        with pytest.raises(UserError, match=f"--scales has {named}"):
            parse(words)
    with pytest.raises(UserError, match="--scales is empty"):
        command.parse_scales([])


def parse(words):
    return command.parse_scales(words.split(","))


def test_wrong_flags_are_refused_before_anything_is_written(tmp_path):
    model = str(tmp_path / "toy.tflite")
    write_model(tmp_path / "toy.tflite")
    (tmp_path / "empty").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("")
    results = str(write_results(tmp_path / "results", "a"))
    out = str(tmp_path / "out")
    for words, values, named in (
        ([], {}, "give --model=PATH, or --compare A B"),
        ([], {"model": model}, "as --output_dir"),
        ([], {"model": f"{model}x", "output_dir": out}, "no such file"),
        ([], {"model": str(tmp_path / "empty")}, "neither a work directory"),
        ([], {"model": str(tmp_path / "notes.txt")}, "nor a .tflite file"),
        (
            [],
            {"model": model, "output_dir": str(tmp_path / "run")},
            "is a work directory, whose own metrics.json",
        ),
        ([], {"model": model, "output_dir": out, "scales": ["9"]}, "--scales"),
        ([], {"model": model, "compare": [model]}, "not both"),
        ([], {"compare": [model]}, "takes two .*not 1"),
        (["x", "y"], {"compare": [model]}, "takes two .*not 3"),
        ([model], {"compare": [model]}, "is named twice"),
        ([], {"model": results}, "is a folder of results, not a model"),
        (["gone"], {"compare": [model], "output_dir": out}, "gone: there is"),
    ):
        with pytest.raises(UserError, match=named) as error:
            evaluate(*words, **values)
        assert "\n" not in str(error.value)
    with pytest.raises(app.UsageError, match="--model=PATH"):
        evaluate("model.tflite")
    assert not (tmp_path / "out").exists()


def test_stored_results_take_no_flags_of_models(tmp_path):
    first = write_results(tmp_path / "a", "a")
    second = write_results(tmp_path / "b", "b", split="train")
    with pytest.raises(UserError, match="--flip is for models"):
        evaluate(second, compare=[str(first)], flip=True)
    with pytest.raises(UserError, match=r"data.split \('val', 'train'\)"):
        evaluate(second, compare=[str(first)])


def test_a_model_without_a_description_is_one_line(tmp_path, data_dir):
    write_model(tmp_path / "toy.tflite")
    (tmp_path / "toy.json").write_text("{}")
    content = (tmp_path / "toy.tflite").read_bytes()
    (tmp_path / "toy.tflite").write_bytes(content[:64])
    with pytest.raises(UserError) as error:
        evaluate(
            model=str(tmp_path / "toy.tflite"),
            data_dir=data_dir,
            output_dir=str(tmp_path / "out"),
        )
    assert "toy.tflite" in str(error.value) and "\n" not in str(error.value)

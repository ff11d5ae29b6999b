"""The driver of the Edge TPU's compiler, with a stand-in for it on PATH."""

import hashlib
import json

import pytest
from fake_edgetpu_compiler import (
    BANNER,
    BEGUN,
    CHILD_DONE,
    FAILED,
    FakeCompiler,
    compiled_model,
    model_with,
    replay,
    success_log,
)
from test_bounded_process import wait_for_end

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.export import bounded_process, compiler
from deepgbass.export.compiler import compile_model, find_compiler
from deepgbass.export.compiler_log import MAPPED
from deepgbass.export.description import FORMAT, read_description

PARTIAL = success_log(
    ("CONV_2D", 5, MAPPED), ("ARG_MAX", 1, "Operation not supported")
)
DESCRIPTION = {
    "format": FORMAT,
    "input": {"size": [8, 12], "longer_side": None, "padding": 128},
    "output": {
        "content": "logits",
        "size": [2, 3],
        "stride": 4,
        "align_corners": False,
    },
    "dataset": json.loads(DatasetInfo("two", ("a", "b")).to_json()),
    "compiled": None,
}
INTERNAL = replay(f"{BANNER}\nInternal compiler error. Aborting! \n", 1)
GOOD = replay(PARTIAL, model="compiled")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A fake compiler that is the only program on PATH but the system's."""
    fake = FakeCompiler(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    return fake


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "out" / "model_int8.tflite"
    path.parent.mkdir()
    path.write_bytes(model_with(b"Other"))
    return path


def names(model):
    return sorted(path.name for path in model.parent.iterdir())


def refused(model, **options):
    """The message of a compilation that fails, with its record."""
    before = names(model)
    with pytest.raises(UserError) as error:
        compile_model(model, **options)
    message = str(error.value)
    assert "\n" not in message and str(model) in message
    log = model.with_name("model_int8_edgetpu_failed.log")
    assert str(log) in message
    # Nothing half written, no temporary folder.
    assert names(model) == sorted({*before, log.name, f"{log.name}.json"})
    record = json.loads(log.with_name(f"{log.name}.json").read_text())
    assert record["message"] in message
    return record


def test_a_compilation_leaves_model_logs_and_comparison(fake, model):
    fake.will(GOOD)
    predicted = {"CONV_2D": {"mapped": 5}, "ARG_MAX": {"cpu": 1}}
    result = compile_model(model, predicted=predicted, description=DESCRIPTION)
    assert names(model) == [
        "model_int8.tflite",
        "model_int8_edgetpu.json",
        "model_int8_edgetpu.log",
        "model_int8_edgetpu.log.json",
        "model_int8_edgetpu.tflite",
    ]
    assert (result.log.on_tpu, result.log.on_cpu) == (5, 1)
    assert result.comparison["agrees"]
    record = json.loads(
        (model.parent / "model_int8_edgetpu.log.json").read_text()
    )
    assert record["outcome"] == "compiled"
    assert record["log"]["on_tpu"] == 5
    assert record["comparison"] == result.comparison
    assert (model.parent / "model_int8_edgetpu.log").read_text() == PARTIAL

    values = read_description(result.path).values
    assert values["preflight"]["basis"] == "read from the compiled model"
    compiled = values["compiled"]
    assert compiled["on_tpu"] == 5 and compiled["subgraphs"] == 1
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert compiled["source_sha256"] == digest
    assert result.path.read_bytes().endswith(compiled_model())
    (call,) = fake.calls
    assert call[:4] == ["-s", "-d", "-t", "600"]
    assert call[-1] == str(model)


def test_a_wrong_prediction_is_kept_and_no_error(fake, model):
    fake.will(GOOD)
    result = compile_model(
        model, predicted={"CONV_2D": {"mapped": 4, "cpu": 1}}
    )
    assert not result.comparison["agrees"]
    record = json.loads(
        (model.parent / "model_int8_edgetpu.log.json").read_text()
    )
    found = [row["operator"] for row in record["comparison"]["operators"]]
    assert found == ["ARG_MAX", "CONV_2D"]


def test_a_model_of_others_is_written_as_the_compiler_made_it(fake, model):
    fake.will(GOOD)
    result = compile_model(model)
    assert result.path.read_bytes() == compiled_model()
    assert "model_int8_edgetpu.json" not in names(model)
    assert result.comparison is None


def test_an_older_compiler_gets_only_what_it_knows(tmp_path, model):
    fake = FakeCompiler(tmp_path / "old", version="15.0.340273435")
    fake.will(GOOD)
    compile_model(model, program=fake.path)
    (call,) = fake.calls
    assert call[:2] == ["-s", "-o"] and len(call) == 4


def test_an_internal_error_is_tried_again_once(fake, model):
    fake.will(INTERNAL, GOOD)
    assert compile_model(model).log.on_tpu == 5
    assert len(fake.calls) == 2
    fake.will(INTERNAL)
    (fake.folder / "calls.json").write_text("[]")
    model.with_name("model_int8_edgetpu.tflite").unlink()
    with pytest.raises(UserError, match="twice"):
        compile_model(model)
    assert len(fake.calls) == 2


def test_a_failure_leaves_an_earlier_compilation_alone(fake, model):
    fake.will(GOOD)
    compile_model(model)
    fake.will(replay(f"{BANNER}{BEGUN}{CHILD_DONE}{FAILED}", 1))
    before = {p.name: p.read_bytes() for p in model.parent.iterdir()}
    assert refused(model)["outcome"] == "unknown"
    assert len(fake.calls) == 2  # Only flaky failures are tried again.
    for name, content in before.items():
        assert (model.parent / name).read_bytes() == content
    # A later success takes the record of the failure away.
    fake.will(GOOD)
    compile_model(model)
    assert names(model) == sorted(before)


def test_status_0_with_nothing_on_the_tpu_is_a_failure(fake, model):
    log = success_log(("CONV_2D", 6, "Operation version not supported"))
    fake.will(replay(log, model="compiled"))
    record = refused(model)
    assert record["outcome"] == "nothing_mapped"
    assert "none of 6" in record["message"]


@pytest.mark.parametrize("content", [b"", b"TFL3", compiled_model()[:-20]])
def test_a_success_without_a_whole_model_is_a_failure(fake, model, content):
    (fake.folder / "broken").write_bytes(content)
    fake.will(replay(PARTIAL, model="broken"))
    assert refused(model)["outcome"] == "broken_model"


def test_a_model_without_a_part_for_the_tpu_is_a_failure(fake, model):
    (fake.folder / "plain").write_bytes(model_with(b"Other"))
    fake.will(replay(PARTIAL, model="plain"))
    assert refused(model)["outcome"] == "broken_model"


def test_a_status_says_failure_though_there_is_a_model(fake, model):
    fake.will(replay(PARTIAL, end=1, model="compiled"))
    refused(model)


def test_a_fatal_message_is_diagnosed(fake, model):
    output = (
        f"{BANNER}{BEGUN}ERROR: Didn't find op for builtin opcode 'TILE' "
        "version '3'.\nERROR: Registration failed.\n"
    )
    fake.will(replay(output, 1))
    record = refused(model)
    assert record["outcome"] == "op_version"
    assert "version 3 of TILE" in record["message"]


def test_a_crash_is_named(fake, model):
    fake.will(replay(BANNER, "crash"))
    assert refused(model)["outcome"] == "crash"


def test_a_hang_is_ended_with_its_child(fake, model, monkeypatch):
    monkeypatch.setattr(bounded_process, "_GRACE", 0.2)
    fake.will(replay(BANNER, "hang"))
    record = refused(model, time_limit=3)
    assert record["outcome"] == "timeout"
    assert all(map(wait_for_end, fake.pids))


def test_output_that_is_no_text_is_kept(fake, model):
    odd = PARTIAL + "Intermediate tensors: caf\xe9\nNew: \xff\n"
    fake.will(replay(odd, model="compiled"))
    result = compile_model(model)
    assert result.log.other == ("New: \\xff",)
    kept = (model.parent / "model_int8_edgetpu.log").read_bytes()
    assert kept == odd.encode("latin-1")


def test_the_log_file_stands_in_for_a_table_that_was_not_printed(fake, model):
    begin, header, rest = PARTIAL.partition("Operator  ")
    fake.will(replay(begin, model="compiled", log=header + rest))
    assert compile_model(model).log.on_tpu == 5


def test_without_a_compiler_one_line_says_how_to_get_it(
    model, monkeypatch, capsys
):
    monkeypatch.setenv("PATH", str(model.parent))
    assert compile_model(model) is None
    (line,) = capsys.readouterr().out.splitlines()
    assert "not installed" in line
    assert line.endswith(compiler.INSTALL)
    assert names(model) == ["model_int8.tflite"]
    with pytest.raises(UserError, match="not installed"):
        compile_model(model, require=True)


def test_a_compiled_model_of_an_earlier_export_is_named(
    fake, model, monkeypatch, capsys
):
    fake.will(GOOD)
    compiled = compile_model(model, description=DESCRIPTION).path
    monkeypatch.setenv("PATH", str(model.parent))
    capsys.readouterr()
    compile_model(model)
    assert "stays" not in capsys.readouterr().out
    model.write_bytes(model_with(b"New"))
    compile_model(model)
    assert f"{compiled} stays" in capsys.readouterr().out
    fake.will(replay(BANNER, 1))
    with pytest.raises(UserError):
        compile_model(model, program=fake.path)
    assert f"{compiled} stays" in capsys.readouterr().out


def test_another_kind_of_host_is_told_so(monkeypatch):
    monkeypatch.setattr(compiler.platform, "machine", lambda: "aarch64")
    line = compiler.missing_compiler()
    assert "x86-64 Linux only" in line and "aarch64" in line
    assert "\n" not in line


def test_a_compiler_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="--edgetpu_compiler=.*absent"):
        find_compiler(tmp_path / "absent")
    (tmp_path / "text").write_text("no program")
    with pytest.raises(UserError, match="--edgetpu_compiler=.*text"):
        find_compiler(tmp_path / "text")


def test_a_compiled_model_is_not_compiled_again(fake, model):
    model.write_bytes(compiled_model())
    with pytest.raises(UserError, match="compiled already"):
        compile_model(model)
    assert fake.calls == []

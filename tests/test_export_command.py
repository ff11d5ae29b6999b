"""export_tflite.py: flags, the screen at the end, the compiler behind it."""

import dataclasses

import pytest
from absl import flags
from conftest import defined_flags
from fake_edgetpu_compiler import FakeCompiler, model_with, replay, success_log
from test_compiler import DESCRIPTION
from test_fidelity import SQNR, Blocks, good, shifted
from tflite_files import Builder

from deepgbass.commands import export as command
from deepgbass.errors import UserError
from deepgbass.export import compiler, exporter
from deepgbass.export.compiler_log import MAPPED
from deepgbass.export.description import read_description, write_described
from deepgbass.export.fidelity import measure_fidelity
from deepgbass.export.output_folder import SUFFIXES
from deepgbass.export.preflight import preflight
from deepgbass.export.result import ExportResult, RejectedExport

SUCCESS = success_log(("RELU", 1, MAPPED))


def graph(*names):
    builder = Builder()
    tensor = builder.image(1, 8, 8, 4)
    for name in names:
        tensor = builder.unary(name, tensor)
    return builder.content()


@pytest.fixture(scope="module")
def report():
    return measure_fidelity(good, shifted, Blocks(), sqnr=SQNR)


@pytest.fixture
def result(tmp_path, report):
    """An export whose files are there, of a graph with one RELU."""
    path = tmp_path / "out" / "model_int8.tflite"
    path.parent.mkdir()
    for suffix in SUFFIXES:
        path.with_suffix(suffix).write_text("{}")
    write_described(path, model_with(b"Other"), DESCRIPTION)
    predicted = dataclasses.replace(preflight(graph("RELU")), label=path.name)
    return ExportResult(path, "blocks", report, predicted, DESCRIPTION)


@pytest.fixture
def run(tmp_path, result, monkeypatch):
    """A function that runs the command's main; returns what export got."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    def run(*words, gives=result):
        calls = []

        def export(*paths, **options):
            calls.append(options)
            if isinstance(gives, Exception):
                raise gives
            return gives

        monkeypatch.setattr(exporter, "export", export)
        argv = ["export_tflite.py", "--workdir=w", "--output_dir=o", *words]
        with defined_flags(command):
            flags.FLAGS(argv)
            try:
                command.main(argv)
            finally:
                run.exported = bool(calls)
        return calls[0]

    return run


def test_the_end_fits_one_screen(run, result, report, capsys):
    options = run()
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) <= 32
    for name in (path.name for path in result.path.parent.iterdir()):
        assert f"  {name} " in printed
    assert f"{report.drops['miou']:+.2f}" in printed
    assert "decoder_guided_detail" in printed
    assert (
        "Edge TPU: model_int8.tflite: 1 of 1 operators predicted on the TPU"
        in printed
    )
    assert "Warning" not in printed
    assert options["gates"] == command.Gates()
    assert options["sqnr_images"] == exporter.SQNR_IMAGES


def test_the_checkpoint_is_passed_on(run):
    assert run()["checkpoint"] == "newest"
    assert run("--checkpoint=best")["checkpoint"] == "best"


def test_root_causes_are_shown(run, result, capsys):
    predicted = preflight(graph("RELU", "HARD_SWISH", "RELU", "RELU"))
    run(gives=dataclasses.replace(result, preflight=predicted))
    printed = capsys.readouterr().out
    assert "Warning. Edge TPU: the model: 1 of 4 operators" in printed
    assert "Ends the subgraph:" in printed
    assert "HARD_SWISH, #1" in printed and "strands 2 operators" in printed


def test_without_a_compiler_there_is_one_line_more(run, capsys):
    run()
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].startswith("edgetpu_compiler is not")
    assert compiler.INSTALL in printed


def test_a_missing_compiler_is_refused_before_time_is_spent(run):
    with pytest.raises(UserError, match="not installed.*apt-get install"):
        run("--require_compile")
    assert not run.exported
    with pytest.raises(UserError, match="--edgetpu_compiler=/none is not"):
        run("--edgetpu_compiler=/none")
    assert not run.exported


@pytest.mark.parametrize("named", [False, True])
def test_the_compiler_runs_on_what_was_exported(
    run, result, tmp_path, monkeypatch, capsys, named
):
    fake = FakeCompiler(tmp_path / "bin")
    fake.will(replay(SUCCESS, model="compiled"))
    words = ["--require_compile"]
    if named:
        words.append(f"--edgetpu_compiler={fake.path}")
    else:
        monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    run(*words)
    path = result.path.with_stem("model_int8_edgetpu")
    compiled = read_description(path).values["compiled"]
    assert (compiled["on_tpu"], compiled["on_cpu"]) == (1, 0)
    printed = capsys.readouterr().out
    assert f"{path}: 1 operators on the Edge TPU, 0 on the CPU" in printed
    assert "Otherwise" not in printed
    (call,) = fake.calls
    assert call[-1] == str(result.path)


def test_a_wrong_prediction_is_shown(run, tmp_path, capsys):
    fake = FakeCompiler(tmp_path / "bin")
    log = success_log(
        ("RELU", 1, "Operation not supported"), ("ADD", 1, MAPPED)
    )
    fake.will(replay(log, model="compiled"))
    run(f"--edgetpu_compiler={fake.path}")
    printed = capsys.readouterr().out
    assert "RELU: predicted 1 mapped, compiled 1 cpu" in printed
    assert "ADD: predicted none, compiled 1 mapped" in printed


def test_a_compiler_that_fails_leaves_the_export(run, result, tmp_path):
    before = result.path.read_bytes()
    fake = FakeCompiler(tmp_path / "bin")
    fake.will(replay("", end="crash"))
    with pytest.raises(UserError, match="edgetpu_compiler failed on"):
        run(f"--edgetpu_compiler={fake.path}")
    assert result.path.read_bytes() == before


def test_a_rejected_export_is_shown_and_not_compiled(
    run, result, tmp_path, capsys
):
    fake = FakeCompiler(tmp_path / "bin")
    error = RejectedExport("it loses 3 points", result)
    with pytest.raises(RejectedExport):
        run(f"--edgetpu_compiler={fake.path}", gives=error)
    assert "Files in" in capsys.readouterr().out
    assert not fake.calls


def test_gates_are_passed_on(run):
    options = run("--max_miou_drop=0.5", "--max_mbf_drop=1")
    assert options["gates"] == command.Gates(0.5, 1.0)


@pytest.mark.parametrize(
    "words, message",
    [
        (["--max_miou_drop=-0.1"], "--max_miou_drop=-0.1 is not a number"),
        (["--max_mbf_drop=nan"], "--max_mbf_drop=nan is not a number"),
        (["--size=500"], "--size=500 is not HEIGHTxWIDTH"),
        (["--qat_steps=5"], "--qat_steps is for --quantization=qat_int8"),
        (
            ["--quantization=float", "--require_compile"],
            "--require_compile is for --quantization=int8 and qat_int8",
        ),
        (
            ["--quantization=float", "--calibration_sampling=even"],
            "--calibration_sampling is for --quantization=int8",
        ),
    ],
)
def test_bad_flags_are_refused_before_time_is_spent(run, words, message):
    with pytest.raises(UserError, match=message):
        run(*words)
    assert not run.exported


def test_a_float_model_is_not_compiled(run, result, report, capsys):
    path = result.path.rename(result.path.with_stem("model_float"))
    form = dataclasses.replace(report, form="float_tflite", sqnr=None)
    run(
        "--quantization=float",
        gives=dataclasses.replace(
            result, path=path, fidelity=form, preflight=None
        ),
    )
    printed = capsys.readouterr().out
    assert "Edge TPU" not in printed and "edgetpu" not in printed
    assert "model_float.tflite" in printed

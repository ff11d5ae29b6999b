"""What the gates do not let pass is kept aside; an earlier export stays."""

import pytest
from guided_network import guided_network
from tiny import tiny_config, write_tiny

from deepgbass.data.pipeline import load_dataset
from deepgbass.errors import UserError
from deepgbass.evaluation.evaluator import evaluate
from deepgbass.experiment import claim_workdir
from deepgbass.export import exporter
from deepgbass.export.description import read_description
from deepgbass.export.fidelity import FidelityReport
from deepgbass.export.gates import FidelityError, Gates
from deepgbass.export.result import RejectedExport

pytestmark = pytest.mark.slow


@pytest.fixture
def run_export(tmp_path, monkeypatch):
    """A function that exports a small network, which "loses" some points."""
    config = tiny_config()
    dataset = load_dataset(write_tiny(tmp_path / "data"), "val")
    claim_workdir(config, dataset.info, tmp_path / "run")
    size = config.data.eval_size
    monkeypatch.setattr(
        exporter, "restore_model", lambda *_, **__: (guided_network(size), 7)
    )
    labels = iter([example["label"] for example in dataset.examples()])
    metrics = evaluate(lambda _: next(labels), dataset)

    def run(lost, **options):
        lossy = metrics | {"miou": metrics["miou"] - lost / 100}
        report = FidelityReport("int8", metrics, lossy, 1.0)
        monkeypatch.setattr(
            exporter, "measure_fidelity", lambda *_, **__: report
        )
        return exporter.export(
            tmp_path / "run",
            tmp_path / "out",
            tmp_path / "data",
            calibration_images=1,
            sqnr_images=0,
            **options,
        )

    return run


def contents(folder):
    """Name -> bytes of all files, below the folder too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_lossy_export_does_not_replace_a_good_one(run_export, tmp_path):
    folder = tmp_path / "out"
    run_export(0.1)
    before = contents(folder)
    with pytest.raises(FidelityError) as caught:
        run_export(0.6, gates=Gates(0.5))
    message = str(caught.value)
    assert "0.600 points of mIoU" in message and "\n" not in message
    assert f"kept in {folder / 'rejected'}, not exported" in message
    after = contents(folder)
    assert before.items() <= after.items()
    assert set(after) == {*before, *(f"rejected/{name}" for name in before)}
    kept = caught.value.result
    assert kept.path == folder / "rejected" / "model_int8.tflite"
    values = read_description(kept.path).values
    assert values["metrics"]["int8"] == kept.fidelity.metrics
    assert values["fidelity"]["drops"]["miou"] == pytest.approx(0.6)
    assert values["fidelity"]["sqnr"] is None

    # One that passes takes the place of both.
    result = run_export(0.3, gates=Gates(0.5))
    assert result.path.parent == folder and set(contents(folder)) == set(before)
    assert contents(folder)["model_int8.json"] != before["model_int8.json"]


def test_what_fails_at_the_end_leaves_the_earlier_export_whole(
    run_export, tmp_path, monkeypatch
):
    run_export(0.1)
    before = contents(tmp_path / "out")

    def interrupted(path, *_):
        assert path.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(exporter, "_write_reports", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_export(0.2)
    assert before == contents(tmp_path / "out")
    assert not list((tmp_path / "out").glob(".*"))


def test_another_model_s_folder_is_refused_before_time_is_spent(
    run_export, tmp_path, monkeypatch
):
    run_export(0.1)
    before = contents(tmp_path / "out")
    monkeypatch.setattr(exporter, "restore_model", None)
    for options in ({"size": (64, 64)}, {"output": "labels"}):
        with pytest.raises(UserError, match="holds another model"):
            run_export(0.1, **options)
    assert before == contents(tmp_path / "out")


def test_a_model_that_came_in_the_meantime_is_not_joined(
    run_export, tmp_path, monkeypatch
):
    choose = exporter.choose_images

    def meanwhile(*arguments):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "model_float.tflite").write_text("another's")
        return choose(*arguments)

    monkeypatch.setattr(exporter, "choose_images", meanwhile)
    monkeypatch.setattr(exporter, "convert", None)  # no time is spent
    with pytest.raises(UserError, match="holds another model"):
        run_export(0.1)
    assert set(contents(tmp_path / "out")) == {"model_float.tflite"}


def test_the_first_export_may_be_rejected_too(run_export, tmp_path):
    with pytest.raises(RejectedExport):
        run_export(0.6, gates=Gates(0.5))
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "rejected"]

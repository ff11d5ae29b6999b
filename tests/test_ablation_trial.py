"""A trial's record, and which of its stages are done again."""

import json

import numpy as np
import pytest
from conftest import defined_flags
from fake_trials import metrics, write_trial

from deepgbass.ablation import __main__ as command
from deepgbass.ablation.plan import trial_folder
from deepgbass.ablation.summary import (
    read_trials,
    require_same,
    summarize,
    table_conditions,
)
from deepgbass.ablation.tables import TABLES, row_configs
from deepgbass.ablation.trial import FILE_NAME, read_result, run_trial
from deepgbass.errors import UserError
from deepgbass.versions import provenance


def test_the_record_is_read_as_it_was_written(tmp_path):
    written = write_trial(tmp_path, "full", 1, {"float": (0.5, 0.4)})
    assert read_result(tmp_path / "full" / "seed1") == written
    assert written.config.train.seed == 1
    assert read_result(tmp_path / "full" / "seed0") is None


@pytest.mark.parametrize("text", ["{", "[]", '{"config": {}}', '{"x": 1}'])
def test_a_broken_record_is_named(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(UserError, match=FILE_NAME) as caught:
        read_result(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_record_is_complete_with_all_forms_of_its_configuration(tmp_path):
    result = write_trial(
        tmp_path, "full", 0, {"float": (0.5, 0.4), "int8": (0.5, 0.4)}
    )
    other = write_trial(tmp_path, "full", 1, {"float": (0.5, 0.4)})
    assert result.has(result.config, ["int8"])
    assert not result.has(result.config, ["int8", "qat_int8"])
    # The Keras network is "float"; its TFLite file is another form.
    assert not result.has(result.config, ["float"])
    assert not result.has(other.config, ["int8"])


def test_only_missing_exports_are_made(tmp_path, monkeypatch):
    result = write_trial(
        tmp_path, "full", 0, {"float": (0.5, 0.4), "int8": (0.5, 0.4)}
    )
    folder = tmp_path / "full" / "seed0"
    (folder / "config.json").write_text(result.config.to_json())
    calls = []

    def export(workdir, output_dir, data_dir, *, quantization, float_metrics):
        calls.append(quantization)
        assert float_metrics["miou"] == 0.5
        exported = metrics(0.45, 0.35)

        class Result:
            metrics = {"float": float_metrics, "anything": exported}

        return Result

    import deepgbass.export.exporter

    monkeypatch.setattr(deepgbass.export.exporter, "export", export)
    wanted = ["int8", "qat_int8", "float"]
    run_trial(result.config, folder, "data", wanted)
    assert calls == ["qat_int8", "float"]
    found = read_result(folder)
    assert found.has(result.config, wanted)
    assert found.metrics["float"]["miou"] == 0.5
    assert found.metrics["qat_int8"]["miou"] == 0.45
    run_trial(result.config, folder, "data", wanted)
    assert len(calls) == 2


def test_another_experiment_s_folder_is_refused(tmp_path):
    first = write_trial(tmp_path, "full", 0, {"float": (0.5, 0.4)})
    other = write_trial(tmp_path, "baseline", 0, {"float": (0.5, 0.4)})
    folder = tmp_path / "full" / "seed0"
    (folder / "config.json").write_text(first.config.to_json())
    (folder / "checkpoints" / "step-00000001").mkdir(parents=True)
    with pytest.raises(UserError, match="loss.name"):
        run_trial(other.config, folder, "data", [])


def write_fakes(table, root):
    """A few images in the official layout; returns its open source."""
    if table == "cityscapes":
        from test_cityscapes import FRAMES, encode, random_ids, write_frame

        from deepgbass.data.cityscapes import open_cityscapes

        for split, frames in FRAMES.items():
            for seed, frame in enumerate(frames):
                ids = encode(random_ids(seed))
                write_frame(root, split, frame, labelIds=ids)
        return open_cityscapes(root)
    from test_ade20k import write_pair

    from deepgbass.data.ade20k import open_ade20k

    ids = np.arange(151).repeat(9).reshape(9, 151)
    for number in (1, 2):
        write_pair(root, "training", f"ADE_train_0000000{number}", ids)
    write_pair(root, "validation", "ADE_val_00000001", ids)
    return open_ade20k(root)


@pytest.mark.slow
@pytest.mark.parametrize("table", ["cityscapes", "ade20k32"])
def test_the_paper_s_tables_are_ready_for_their_data(tmp_path, table):
    from deepgbass.data.conversion import convert

    words = [
        "train.steps=2",
        "train.warmup_steps=1",
        "train.batch_size=2",
        "model.depth_multiplier=0.1",
        "model.aspp_channels=8",
        "data.crop_size=48,64",
        "data.eval_size=48,64",
    ]
    if table == "ade20k32":
        words.append("data.resize_longer_side=64")
    data_dir, workdir = tmp_path / "records", tmp_path / "runs"
    convert(write_fakes(table, tmp_path / "official"), data_dir)
    # The whole method by the command, of the other the network alone.
    if table == "cityscapes":
        with defined_flags(
            command,
            table=table,
            workdir=str(workdir),
            data_dir=str(data_dir),
            rows=["full"],
            set=words,
        ):
            command.main([])
        (row,) = json.loads((workdir / "table.json").read_text())["rows"]
        assert row["name"] == "+DGD+SBL+SBL-WCE"
        assert set(row["forms"]) == {"float", "int8", "float_tflite"}
        assert min(row["latency_ms"].values()) > 0
        assert (workdir / "report.html").exists()
        return
    config = row_configs(table, words)["sbl"]
    run_trial(config, trial_folder(workdir, "sbl", 0), data_dir, [])
    trials = read_trials(workdir, TABLES[table].keys)
    assert trials["sbl"][0].versions == provenance()
    require_same(workdir, trials, row_configs(table, words))
    (row,) = summarize(TABLES[table], trials)
    assert row["key"] == "sbl" and list(row["forms"]) == ["float"]
    assert row["parameters"] > 0 and row["gflops"] > 0
    assert table_conditions(trials)["images"] == 1

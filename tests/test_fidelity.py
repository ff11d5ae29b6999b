"""What an export costs, on label maps in memory."""

import collections
import json

import numpy as np
import pytest
from blocks import PAIRS, Blocks
from blocks import predict as good

from deepgbass.errors import UserError
from deepgbass.evaluation.evaluator import evaluate
from deepgbass.export.fidelity import (
    measure_fidelity,
    print_fidelity,
)
from deepgbass.export.sqnr import OpSqnr, SqnrTable

SQNR = SqnrTable(
    (
        OpSqnr(0, "SUB", "decoder_guided_detail", "decoder_guided", 3.25, 31.5),
        OpSqnr(1, "ADD", "decoder_guided_add", "decoder_guided", 24.5, None),
    ),
    (),
    8,
)


def shifted(image):
    return np.roll(good(image), 3, axis=1)


def counted(predict):
    calls = collections.Counter()

    def call(image):
        calls[int(image[0, 0, 0])] += 1
        return predict(image)

    return call, calls


@pytest.fixture(scope="module")
def degraded():
    return measure_fidelity(good, shifted, Blocks(), sqnr=SQNR)


def test_an_exact_export_agrees_everywhere_and_passes():
    report = measure_fidelity(good, good, Blocks())
    assert report.agreement == 1.0
    assert set(report.drops.values()) == {0.0}
    assert set(report.band_drops.values()) == {0.0}


def test_drops_are_points_between_the_two_evaluations(degraded):
    before, after = (evaluate(p, Blocks()) for p in (good, shifted))
    assert degraded.float_metrics == before and degraded.metrics == after
    for name, drop in degraded.drops.items():
        assert drop == 100 * (before[name] - after[name])
    assert degraded.drops["miou"] > 1 and degraded.drops["mbf_1px"] > 1
    assert list(degraded.band_drops) == [1, 2, 4, 8, 16]
    assert degraded.band_drops[2] == 100 * (
        before["bands"][1]["miou"] - after["bands"][1]["miou"]
    )


def test_agreement_is_the_share_of_equal_pixels(degraded):
    equal = sum(np.sum(p == np.roll(p, 3, axis=1)) for _, p in PAIRS)
    assert degraded.agreement == equal / sum(p.size for _, p in PAIRS)


@pytest.mark.parametrize("known", [False, True])
def test_each_form_runs_once_an_image(known, degraded):
    metrics = degraded.float_metrics if known else None
    (first, calls), (second, others) = counted(good), counted(shifted)
    report = measure_fidelity(
        first, second, Blocks(), sqnr=SQNR, float_metrics=metrics
    )
    assert report == degraded
    assert calls == others == dict.fromkeys(range(len(PAIRS)), 1)


def test_metrics_of_other_images_are_refused(degraded):
    with pytest.raises(UserError, match="other|same images"):
        measure_fidelity(
            good,
            shifted,
            Blocks(),
            max_images=2,
            float_metrics=degraded.float_metrics,
        )


def test_json_holds_drops_and_ratios(degraded):
    found = json.loads(json.dumps(degraded.to_json(), allow_nan=False))
    assert found["drops"] == degraded.drops
    assert found["argmax_agreement"] == degraded.agreement
    assert found["sqnr"]["guided_block_db"] == 24.5
    assert (found["images"], found["form"]) == (len(PAIRS), "int8")
    assert found["metrics"]["int8"] == degraded.metrics
    assert len(found["sqnr"]["operators"]) == 2
    # A description holds what stands out.
    summary = json.loads(json.dumps(degraded.summary(), allow_nan=False))
    assert summary["sqnr"]["worst"] == found["sqnr"]["operators"][0]
    assert summary["drops"] == found["drops"]
    assert not {"metrics", "operators"} & {*summary, *summary["sqnr"]}


def test_the_table_shows_drops_and_the_worst_operator(degraded, capsys):
    print_fidelity(degraded)
    printed = capsys.readouterr().out
    assert f"{degraded.drops['mbf']:+.2f}" in printed
    assert f"{100 * degraded.agreement:.2f} % of pixels" in printed
    assert "deep guided block 24.5 dB" in printed
    assert "most lost at decoder_guided_detail (31.5 dB)" in printed

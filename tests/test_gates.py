"""What an export may lose, and what is said when it lost more."""

import pytest

from deepgbass.errors import UserError
from deepgbass.export.fidelity import FidelityReport
from deepgbass.export.gates import FidelityError, Gates


def report(drops, before=(0.5, 0.4), form="int8"):
    """A report whose mIoU and mBF are lower by so many points."""
    metrics = [
        dict.fromkeys(("mbf_3px", "mbf_1px"), 0.1) | {"miou": miou, "mbf": mbf}
        for miou, mbf in (
            before,
            [
                None if drop is None else value - drop / 100
                for value, drop in zip(before, drops, strict=True)
            ],
        )
    ]
    return FidelityReport(form, *metrics, agreement=1.0)


def test_a_gate_names_what_was_measured_and_allowed():
    lossy = report((0.7, 1.2))
    Gates().check(lossy)
    Gates(0.75, 1.25).check(lossy)
    with pytest.raises(FidelityError) as caught:
        Gates(max_miou_drop=0.5).check(lossy)
    message = str(caught.value)
    assert "0.700 points of mIoU (50.00 to 49.30)" in message
    assert "--max_miou_drop allows 0.5" in message
    assert "qat_int8" in message
    assert "mbf" not in message and "\n" not in message
    with pytest.raises(FidelityError, match="mIoU.*max_mbf_drop allows 1"):
        Gates(0.5, 1.0).check(lossy)


def test_a_gain_passes_the_narrowest_gate():
    Gates(0, 0).check(report((0.0, -0.3)))


def test_what_was_fine_tuned_is_not_told_to_be():
    with pytest.raises(FidelityError, match="more --qat_steps") as caught:
        Gates(0).check(report((1, 0), form="qat_int8"))
    assert "--quantization" not in str(caught.value)


def test_what_could_not_be_measured_does_not_pass():
    unknown = report((None, 0.0))
    with pytest.raises(FidelityError, match=r"unknown number.*50.00 to -"):
        Gates(max_miou_drop=5).check(unknown)
    Gates(max_mbf_drop=100).check(unknown)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "1"])
def test_a_gate_is_a_number_of_points(value):
    with pytest.raises(UserError, match="--max_mbf_drop"):
        Gates(max_mbf_drop=value)

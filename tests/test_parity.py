import json
import pathlib

import pytest
from parity import CASES, errors, table

ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.parametrize(
    "case",
    [
        # The same networks again at another output stride.
        pytest.param(case, marks=pytest.mark.slow)
        if case.suffix in ("_os8", "_os32")
        else case
        for case in CASES
    ],
    ids=str,
)
def test_network_computes_what_tf1_deeplab_does(shared, case):
    for name, error in errors(case, shared / "fixtures/deeplab").items():
        assert error < 1e-5, name


def test_documented_table_is_the_measured_one():
    results = json.loads((ROOT / "results/parity.json").read_text())
    assert list(results) == [str(case) for case in CASES]
    assert table(results) in (ROOT / "docs/parity.md").read_text()

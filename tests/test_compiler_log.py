"""Reading what the Edge TPU's compiler prints."""

import json

import pytest
from fake_edgetpu_compiler import BANNER, BEGUN, FAILED, success_log, table

from deepgbass.export.compiler_log import MAPPED, compare, parse_log

ROWS = (
    ("ADD", 12, MAPPED),
    ("RESIZE_BILINEAR", 2, MAPPED),
    (
        "RESIZE_BILINEAR",
        1,
        "Operation is otherwise supported, but not mapped due to some "
        "unspecified limitation",
    ),
    ("ARG_MAX", 1, "Operation is working on an unsupported data type"),
)


def test_a_partial_log_is_read_in_full():
    log = parse_log(success_log(*ROWS))
    assert (log.version, log.compiled_ms) == ("16.0.384591198", 986)
    assert (log.on_tpu, log.on_cpu) == (14, 2)
    assert (log.said_on_tpu, log.said_on_cpu) == (14, 2)
    assert (log.subgraphs, log.total_operators, log.attempts) == (1, 16, 1)
    assert log.input_bytes == 3019899  # 2.88 MiB
    assert log.on_chip_bytes == 4047503  # 3.86 MiB
    assert log.on_chip_remaining_bytes == 74 * 1024
    assert log.off_chip_bytes == 0
    found = [(o.operator, o.count, o.status) for o in log.operators]
    assert found == list(ROWS)
    assert [o.place for o in log.operators] == [
        "mapped",
        "mapped",
        "cpu",
        "cpu",
    ]
    assert log.other == ()
    assert json.loads(json.dumps(log.to_dict()))["on_tpu"] == 14


def test_a_log_without_a_table_counts_what_it_says():
    lines = success_log(*ROWS).partition("Operator  ")[0]
    assert (parse_log(lines).on_tpu, parse_log(lines).on_cpu) == (14, 2)
    whole = success_log(("ADD", 5, MAPPED)).partition("Operator  ")[0]
    assert (parse_log(whole).on_tpu, parse_log(whole).on_cpu) == (5, 0)


def test_nothing_mapped_is_zero():
    log = parse_log(success_log(("CAST", 3, "Operation not supported")))
    assert (log.on_tpu, log.on_cpu, log.subgraphs) == (0, 3, 0)


def test_the_segment_that_compiled_counts():
    tried = (
        f"{BANNER}Try to compile segment with 99 ops\n{BEGUN}"
        "Compilation failed: Compilation failed due to large activation "
        f"tensors in model.\n{FAILED}"
        + table(("CONV_2D", 99, MAPPED))
        + "Intermediate tensors: a;b1,c\n"
    )
    log = parse_log(tried + success_log(*ROWS))
    assert (log.on_tpu, log.total_operators, log.attempts) == (14, 16, 2)


def test_what_is_new_is_kept_word_for_word():
    text = (
        success_log(*ROWS).replace("Input size", "Input weight")
        + table(("ADD", 4, "Mapped to Pixel TPU"), ("MUL", 1, MAPPED))
        + "EXP                            many       Mapped to Edge TPU\n"
        + "Telemetry: off\n"
    )
    log = parse_log(text)
    add, mul = log.operators
    assert (add.status, add.place) == ("Mapped to Pixel TPU", "unknown")
    assert (log.on_tpu, log.on_cpu) == (1, 4)
    assert "Input weight: 2.88MiB" in log.other and log.input_bytes is None
    assert "Telemetry: off" in log.other
    assert any(line.startswith("EXP ") for line in log.other)


def test_new_columns_do_not_hide_the_status():
    log = parse_log(table(("CONV_2D", 3, f"{MAPPED}    tile 7   fast")))
    (row,) = log.operators
    assert (row.status, row.more) == (MAPPED, ("tile 7", "fast"))
    assert (row.place, log.on_tpu) == ("mapped", 3)


@pytest.mark.parametrize("text", ["", "\n\n", "Operator", "a: b", "\x00\ufffd"])
def test_no_log_is_no_error(text):
    log = parse_log(text)
    assert (log.on_tpu, log.on_cpu, log.compiled_ms) == (0, 0, None)


def predicted(**changes):
    expected = {
        "ADD": {"mapped": 12},
        "RESIZE_BILINEAR": {"mapped": 2, "cpu": 1},
        "ARG_MAX": {"cpu": 1},
    }
    return {**expected, **changes}


def test_a_right_prediction_agrees():
    log = parse_log(success_log(*ROWS))
    assert compare(log, predicted()) == {"agrees": True, "operators": []}


@pytest.mark.parametrize("mapped", [0, 1, 2])
def test_an_uncertain_operator_may_go_either_way(mapped):
    log = parse_log(success_log(*ROWS))
    counts = {"mapped": mapped, "uncertain": 3 - mapped}
    assert compare(log, predicted(RESIZE_BILINEAR=counts))["agrees"]


@pytest.mark.parametrize(
    "name, counts",
    [
        ("ADD", {"mapped": 11, "cpu": 1}),  # One too many on the CPU,
        ("RESIZE_BILINEAR", {"mapped": 3}),  # too few,
        ("RESIZE_BILINEAR", {"cpu": 2, "uncertain": 1}),
        ("ARG_MAX", {"mapped": 0}),  # not seen at all,
        ("TILE", {"cpu": 1}),  # not there,
        ("ADD", {"mapped": 12, "fatal": 0, "cpu": 1}),  # another number,
        ("ARG_MAX", {"fatal": 1}),  # and fatal, though it compiled.
    ],
)
def test_a_wrong_prediction_is_named(name, counts):
    result = compare(parse_log(success_log(*ROWS)), predicted(**{name: counts}))
    assert not result["agrees"]
    (row,) = result["operators"]
    assert row["operator"] == name
    assert row["predicted"] == {k: n for k, n in counts.items() if n}
    assert (
        sum(row["compiled"].values())
        == {
            "ADD": 12,
            "RESIZE_BILINEAR": 3,
            "ARG_MAX": 1,
            "TILE": 0,
        }[name]
    )

"""The history of a run survives kills and resumes."""

from deepgbass.reports.history import History, read_curves


def test_curves_are_what_was_written(tmp_path):
    history = History(tmp_path / "h.jsonl")
    history.write(10, {"loss": 2.0, "rate": 0.1})
    history.write(20, {"loss": 1.0})
    assert read_curves(tmp_path / "h.jsonl") == {
        "loss": [(10, 2.0), (20, 1.0)],
        "rate": [(10, 0.1)],
    }


def test_resuming_drops_what_will_happen_again(tmp_path):
    history = History(tmp_path / "h.jsonl")
    for step in (10, 20, 30):
        history.write(step, {"loss": 1.0 / step})
    History(tmp_path / "h.jsonl", step=20).write(30, {"loss": 7.0})
    steps = read_curves(tmp_path / "h.jsonl")["loss"]
    assert [step for step, _ in steps] == [10, 20, 30]
    assert steps[-1][1] == 7.0


def test_an_evaluation_that_happens_again_is_dropped(tmp_path):
    history = History(tmp_path / "h.jsonl")
    for step in (10, 20):
        history.write(step, {"loss": 1.0})
        history.write(step, {"miou": 0.5})
    curves = {"loss": [(10, 1.0), (20, 1.0)], "miou": [(10, 0.5), (20, 0.5)]}
    History(tmp_path / "h.jsonl", step=20)
    assert read_curves(tmp_path / "h.jsonl") == curves
    History(tmp_path / "h.jsonl", step=20, evaluated=False)
    assert read_curves(tmp_path / "h.jsonl") == curves | {"miou": [(10, 0.5)]}


def test_a_line_torn_by_a_kill_is_left_out(tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_text('{"step": 10, "loss": 2.0}\n{"step": 20, "lo')
    assert read_curves(path) == {"loss": [(10, 2.0)]}
    History(path, step=10)
    assert path.read_text() == '{"step": 10, "loss": 2.0}\n'


def test_no_history_is_no_curves(tmp_path):
    assert read_curves(tmp_path / "absent.jsonl") == {}


def test_a_damaged_log_costs_its_damaged_lines_alone(tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_bytes(
        b'{"step": 10, "loss": 2.0}\n\xff\xfe\n3\n{"loss": 1.0}\n'
        b'{"step": "20"}\n{"step": 30, "loss": 0.5}\n'
    )
    History(path, step=30)
    assert read_curves(path) == {"loss": [(10, 2.0), (30, 0.5)]}

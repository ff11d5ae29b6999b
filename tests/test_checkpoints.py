"""Checkpoints: the newest sound one wins, and nothing else is lost."""

import contextlib
import errno
import json
import os
import pathlib
import resource

import numpy as np
import pytest
import tensorflow as tf
from tiny import tiny_config

from deepgbass import files
from deepgbass.errors import UserError
from deepgbass.training import checkpoint_files, checkpoints
from deepgbass.training.checkpoints import Checkpoints, alone, find


class Network(tf.Module):
    """Variables in the place of a network's."""

    def __init__(self, **shapes):
        super().__init__()
        self.all = [
            tf.Variable(tf.zeros(shape), name=name)
            for name, shape in shapes.items()
        ]


def state(value=0.0, **shapes):
    model = Network(**shapes or {"stem/kernel": (3, 4), "stem/bias": (4,)})
    for variable in model.variables:
        variable.assign_add(tf.fill(variable.shape, float(value)))
    return {"model": model, "step": tf.Variable(0, dtype=tf.int64)}


def run(workdir, *steps, scores=None, **train):
    """Saves at these steps; the value of the weights is the step."""
    kept = Checkpoints(workdir, tiny_config(**train))
    for step in steps:
        kept.save(step, state(step))
        if scores and step in scores:
            kept.record(dict(zip(("miou", "mbf"), scores[step], strict=True)))
    return kept


def names(workdir):
    return sorted(path.name for path in (workdir / "checkpoints").glob("*"))


def value(saved):
    found = state()
    checkpoint_files.restore(saved, {"model": found["model"]})
    return {float(v.numpy().flat[0]) for v in found["model"].variables}


def test_a_checkpoint_says_what_it_is_and_holds_what_was_saved(tmp_path):
    kept = run(tmp_path, 1, 2)
    assert (kept.step, kept.newest.scores) == (2, None)
    assert find(tmp_path) == kept.newest
    assert value(find(tmp_path)) == {2.0}
    assert value(find(tmp_path, "1")) == value(find(tmp_path, 1)) == {1.0}
    meta = json.loads((kept.newest.path / "meta.json").read_text())
    assert meta["versions"]["tensorflow"] == tf.__version__
    assert "commit" in meta["versions"]
    assert meta["config"] == json.loads(tiny_config().to_json())
    assert "(train.seed, step)" in meta["data_and_random_state"]
    modes = [oct(p.stat().st_mode)[-3:] for p in (kept.newest.path, tmp_path)]
    assert modes[0] == oct(0o777 & ~files_umask())[-3:]


def files_umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no checkpoint; train first"):
        find(tmp_path)
    assert Checkpoints(tmp_path, tiny_config()).newest is None
    run(tmp_path, 3, 4)
    with pytest.raises(UserError, match="no checkpoint 5; .* 3, 4"):
        find(tmp_path, 5)
    with pytest.raises(UserError, match="no checkpoint 'last'"):
        find(tmp_path, "last")


@pytest.mark.parametrize("by, best", [("miou", 1), ("mbf", 3), ("mean", 2)])
def test_the_best_is_by_miou_mbf_or_their_mean(tmp_path, by, best):
    scores = {1: (0.9, 0.1), 2: (0.8, 0.7), 3: (0.2, 0.8), 4: (None, None)}
    config = tiny_config(best_by=by)
    (tmp_path / "config.json").write_text(config.to_json())
    run(tmp_path, 1, 2, 3, 4, keep=4, best_by=by)
    with pytest.raises(UserError, match="no checkpoint was evaluated"):
        find(tmp_path, "best")
    for step, (miou, mbf) in scores.items():
        with alone(tmp_path):  # Nothing is recorded in a training's folder.
            checkpoints.record_scores(tmp_path, step, {"miou": 1, "mbf": 1})
        values = {"miou": miou, "mbf": mbf}
        checkpoints.record_scores(tmp_path, step, values)
        assert find(tmp_path, step).scores == values
    assert find(tmp_path, "best").step == best


def test_the_last_and_the_best_stay_and_what_is_unknown(tmp_path):
    run(tmp_path, 1)
    folder = tmp_path / "checkpoints"
    for name in ("mine", "step-1", "step-00000000.old"):
        (folder / name).mkdir()
    (folder / "step-00000009").write_text("a file")
    run(tmp_path, 2)
    damage(folder / "step-00000001" / "state.index", "flipped")
    unknown = set(names(tmp_path)) - {"step-00000002"}
    run(tmp_path, *range(20, 23))
    scores = {32: (0.5, 0.5), 33: (0.6, 0.6), 34: (0.6, 0.6), 35: (0.1, 0.1)}
    run(tmp_path, *range(30, 38), scores=scores)
    assert set(names(tmp_path)) - unknown == {
        f"step-000000{step}" for step in (34, 35, 36, 37)
    }
    assert set(names(tmp_path)) > unknown
    run(tmp_path, 40, 41, 42, keep=1, keep_best=0)
    assert set(names(tmp_path)) - unknown == {"step-00000042"}


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(content[:-1])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


@pytest.mark.parametrize("how", ["missing", "truncated", "empty", "flipped"])
@pytest.mark.parametrize("name", ["state.index", "state.data*", "meta.json"])
def test_a_damaged_one_is_skipped_named_and_left(tmp_path, capsys, name, how):
    newest = run(tmp_path, 1, 2).newest
    (path,) = newest.path.glob(name)
    if name == "meta.json" and how == "flipped":
        path.write_bytes(path.read_bytes().replace(b'"step": 2', b'"step": 3'))
    else:
        damage(path, "empty" if path.suffix == ".json" else how)
        if how == "missing":
            path.unlink(missing_ok=True)
    before = sorted(newest.path.iterdir())
    capsys.readouterr()
    assert find(tmp_path).step == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"warning: checkpoint {newest.path} is damaged")
    assert path.name in line
    with pytest.raises(UserError, match="00002 is damaged: .*; choose another"):
        find(tmp_path, 2)

    # A run goes on from the sound one, and keeps the other when it passes.
    kept = run(tmp_path, keep=1, keep_best=0)
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert kept.step == 1
    kept.save(2, state(2))
    assert names(tmp_path) == ["step-00000002", "step-00000002.damaged-1"]
    aside = newest.path.with_name("step-00000002.damaged-1")
    assert [p.name for p in sorted(aside.iterdir())] == [p.name for p in before]
    assert value(find(tmp_path)) == {2.0}


def test_where_all_are_damaged_they_are_named(tmp_path):
    for saved in run(tmp_path, 1, 2)._sound:
        damage(saved.path / "state.index", "truncated")
    for reader in (find, lambda path: Checkpoints(path, tiny_config())):
        with pytest.raises(UserError, match="all .*00002 .*00001 .*anew") as e:
            reader(tmp_path)
        assert "\n" not in str(e.value)
    assert len(names(tmp_path)) == 2


def test_what_a_kill_left_goes_when_a_run_starts(tmp_path):
    kept = run(tmp_path, 1)
    folder = tmp_path / "checkpoints"
    (folder / ".step-00000002.abc.tmp").mkdir()
    (folder / ".step-00000002.abc.tmp" / "state.index").touch()
    (kept.newest.path / ".meta.json.abc.tmp").touch()
    find(tmp_path)
    assert len(names(tmp_path)) == 2  # Readers touch nothing.
    run(tmp_path)
    assert names(tmp_path) == ["step-00000001"]
    assert not list(kept.newest.path.glob(".*"))


@contextlib.contextmanager
def limited_files(size):
    """Files of this process may have so many bytes: as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def refusing(code):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("where", ["tensorflow", "fsync", "meta"])
def test_a_full_disk_ends_the_run_and_loses_nothing(
    tmp_path, monkeypatch, where
):
    kept = run(tmp_path, 1)
    with pytest.raises(UserError) as caught, monkeypatch.context() as patch:
        if where == "fsync":
            patch.setattr(os, "fsync", refusing(errno.ENOSPC))
        if where == "meta":
            patch.setattr(pathlib.Path, "write_text", refusing(errno.ENOSPC))
        big = state(2, **{"stem/kernel": (99, 99)})
        with limited_files(10_000 if where == "tensorflow" else -1):
            kept.save(2, big)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path} cannot be written at step 2 (")
    assert "step 1 is saved (step-00000001)" in message
    reason = "File too large" if where == "tensorflow" else "No space left"
    assert reason in message and "{{" not in message and "[Op" not in message
    assert "\n" not in message
    assert names(tmp_path) == ["step-00000001"]
    assert value(find(tmp_path)) == {1.0}
    kept.save(2, state(2))
    assert value(find(tmp_path)) == {2.0}


def test_scores_that_cannot_be_written_leave_the_checkpoint(
    tmp_path, monkeypatch
):
    kept = run(tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", refusing(errno.EROFS))
        with pytest.raises(UserError, match="step 1 .Read-only file system"):
            kept.record({"miou": 0.5, "mbf": 0.5})
    assert find(tmp_path).scores is None


def test_a_folder_that_cannot_be_written_is_refused_at_once(
    tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "mkdir", refusing(errno.EROFS))
        message = f"--workdir={tmp_path} cannot be written: Read-only"
        with pytest.raises(UserError, match=message), alone(tmp_path):
            pass


def test_what_a_killed_training_left_half_written_is_cleared(tmp_path):
    for name in ("config.json", ".config.json.x.tmp", ".report.html.y.tmp"):
        (tmp_path / name).touch()
    (tmp_path / ".metrics.json.z.tmp").touch()  # An evaluation's.
    with alone(tmp_path):
        pass
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".metrics.json.z.tmp", "config.json"]


def test_one_training_at_a_time(tmp_path):
    with alone(tmp_path / "run"):
        with (
            pytest.raises(UserError, match="another training writes here"),
            alone(tmp_path / "run"),
        ):
            pass
        (tmp_path / "run" / "config.json").touch()
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["config.json"]
    with alone(tmp_path / "empty"):
        pass
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize(
    "shapes, said",
    [
        (
            {"stem/kernel": (3, 5), "stem/bias": (5,)},
            r"variable stem/kernel is of shape \[3, 5\] here and of shape "
            r"\[3, 4\] in it",
        ),
        (
            {"stem/kernel": (3, 4), "stem/bias": (4,), "head/bias": (2,)},
            r"variable head/bias is of shape \[2\] here and not in it",
        ),
        (
            {"stem/kernel": (3, 4)},
            r"it holds a variable stem/bias of shape \[4\]",
        ),
    ],
)
def test_of_another_network_the_first_difference_is_named(
    tmp_path, shapes, said
):
    kept = run(tmp_path, 1)
    with pytest.raises(UserError, match=said) as caught:
        kept.restore(state(**shapes))
    assert str(kept.newest.path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_workers_write_along_and_leave_nothing(tmp_path, monkeypatch):
    run(tmp_path, 1)
    written = []
    write = tf.train.Checkpoint.write

    def spy(checkpoint, path):
        written.append(path)
        return write(checkpoint, path)

    monkeypatch.setattr(tf.train.Checkpoint, "write", spy)
    worker = Checkpoints(tmp_path, tiny_config(), chief=False)
    # The chief tells it the step.
    worker.save(2, state(2))
    worker.record({"miou": 1.0, "mbf": 1.0})
    assert len(written) == 1
    assert names(tmp_path) == ["step-00000001"]
    assert find(tmp_path).scores is None


def test_the_same_state_gives_the_same_bytes(tmp_path):
    rng = np.random.default_rng(0).normal(size=(3, 4))
    contents = []
    for name in "ab":
        trackables = state()
        kernel = trackables["model"].all[0]
        kernel.assign(rng)
        Checkpoints(tmp_path / name, tiny_config()).save(1, trackables)
        path = find(tmp_path / name).path
        contents.append({p.name: p.read_bytes() for p in path.iterdir()})
    assert contents[0] == contents[1]

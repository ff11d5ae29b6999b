"""Event files of a run that resumes."""

import pytest
import tensorflow as tf

from deepgbass.training.event_files import drop_events


def write(folder, *steps):
    with tf.summary.create_file_writer(str(folder)).as_default():
        for step in steps:
            tf.summary.scalar("train/loss", 1.0 / step, step)
            if step % 2 == 0:
                tf.summary.scalar("eval/miou", 0.5, step)


def read(folder):
    found = []
    for path in folder.iterdir():
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            found += [(event.step, v.tag) for v in event.summary.value]
    return sorted(found)


@pytest.mark.parametrize("evaluated", [True, False])
def test_what_happens_again_is_dropped(tmp_path, evaluated):
    write(tmp_path, 1, 2, 3, 4, 5)
    before = read(tmp_path)
    drop_events(tmp_path, 4, evaluated)
    wanted = [entry for entry in before if entry[0] <= 4]
    if not evaluated:
        wanted.remove((4, "eval/miou"))
    assert read(tmp_path) == wanted
    assert len(list(tmp_path.iterdir())) == 1
    # As if a kill had come while they were dropped.
    (tmp_path / ".events.out.tfevents.x.tmp").touch()
    drop_events(tmp_path, 4, evaluated)
    assert len(list(tmp_path.iterdir())) == 1


def test_what_stays_is_not_touched_and_a_torn_end_is_no_harm(tmp_path):
    write(tmp_path, 1, 2)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    content = path.read_bytes()
    drop_events(tmp_path, 2)
    assert path.read_bytes() == content
    drop_events(tmp_path, 1)
    assert read(tmp_path) == [(1, "train/loss")]


def test_no_events_are_no_trouble(tmp_path):
    drop_events(tmp_path / "absent", 1)

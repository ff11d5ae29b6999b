"""TensorBoard's event files of a run that resumes: no step shown twice."""

import pathlib

import tensorflow as tf

from deepgbass.files import atomic_path, remove_temporaries


def drop_events(folder, step, evaluated=True):
    """Removes events of steps that happen again.

    TensorBoard shows all that it finds, those of a killed run too.

    Args:
        folder: of event files; may be absent.
        step: int. Events beyond it are removed.
        evaluated: False to remove also those of `step` whose tag begins with
            "eval/".
    """
    remove_temporaries(folder)
    for path in sorted(pathlib.Path(folder).glob("events.out.tfevents.*")):
        events = list(_events(path))
        kept = [
            event
            for event in events
            if event.step < step
            or (event.step == step and (evaluated or not _is_eval(event)))
        ]
        # A file that a kill tore goes on in another one: nothing to mend.
        if len(kept) == len(events):
            continue
        with (
            atomic_path(path) as temporary,
            tf.io.TFRecordWriter(str(temporary)) as writer,
        ):
            for event in kept:
                writer.write(event.SerializeToString())


def _is_eval(event):
    return any(value.tag.startswith("eval/") for value in event.summary.value)


def _events(path):
    records = iter(tf.data.TFRecordDataset(str(path)))
    while True:
        try:
            yield tf.compat.v1.Event.FromString(next(records).numpy())
        except (StopIteration, tf.errors.DataLossError):
            return

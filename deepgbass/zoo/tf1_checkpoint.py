"""Reads the variables of a TF1 checkpoint."""

import numpy as np
import tensorflow as tf

from deepgbass.errors import UserError
from deepgbass.zoo.names import skip_reason

# What TensorFlow raises for an index or data file that is cut or changed.
_BROKEN = (tf.errors.OpError, IndexError, ValueError, RuntimeError)


def read_checkpoint(prefix) -> tuple[dict, tuple]:
    """Reads a checkpoint's weights; optimiser state stays on disk.

    Args:
        prefix: path of the checkpoint without ".index".

    Returns:
        Name -> array; and `(name, reason)` of what was not read.

    Raises:
        UserError: the files are corrupt, or of a TF2 object checkpoint.
    """
    skipped, values = [], {}
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = sorted(reader.get_variable_to_shape_map())
        if "_CHECKPOINTABLE_OBJECT_GRAPH" in names:
            raise UserError(
                f"{prefix} is a checkpoint of TF2 or Keras objects; if train.py"
                " wrote it, use train.py --workdir"
            )
        for name in names:
            reason = skip_reason(name)
            if reason:
                skipped.append((name, reason))
            else:
                values[name] = np.asarray(reader.get_tensor(name))
    except UserError:
        raise
    except _BROKEN as error:
        said = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise UserError(
            f"{prefix} is corrupt or cut short ({said[0][:120]});"
            " fetch it again"
        ) from None
    return values, tuple(skipped)

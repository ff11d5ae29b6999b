"""The words that an export is asked for with; without TensorFlow."""

from deepgbass.errors import UserError

# Numbers of the exported model: see `exporter.export`.
QUANTIZATIONS = ("int8", "qat_int8", "float")
# What the model gives: logits `(1, h, w, classes)`, their argmax `(1, h, w)`,
# or the argmax at the size of the input.
OUTPUTS = ("logits", "labels", "full")
# What an int8 model takes.
INPUT_TYPES = ("int8", "uint8")
# How calibration images are chosen: see `calibration.choose_images`.
SAMPLINGS = ("even", "boundary")


def require_choice(name, found, choices):
    """Makes sure that an argument is one of its words.

    Raises:
        UserError: it is none; the message names argument, value and words.
    """
    if found not in choices:
        raise UserError(
            f"{name} is {found!r}; it must be one of {', '.join(choices)}"
        )

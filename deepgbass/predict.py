"""Segments images: a colour overlay PNG for each.

Examples:
  python -m deepgbass.predict --model=runs/demo --output_dir=out photo.jpg
  python -m deepgbass.predict --model=exports/camvid/model_int8.tflite \\
      --output_dir=out street1.png street2.png

The model is a work directory or a .tflite file with its description beside
it. The overlay of NAME.jpg is NAME_overlay.png, at the image's own size.
"""

import contextlib
import pathlib

from absl import app, flags

from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.files import require_writable


def load_image(path):
    """An image file as uint8 RGB `(height, width, 3)`, upright.

    Raises:
        UserError: the file is missing or not an image.
    """
    import numpy as np
    from PIL import ImageOps

    with _open_image(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def check_header(path):
    """Makes sure, without decoding it, that a file looks like an image.

    Raises:
        UserError: the file is missing, not an image, or far too large.
    """
    with _open_image(path):
        pass


@contextlib.contextmanager
def _open_image(path):
    """A file as a Pillow image; what goes wrong with it is a `UserError`."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    # Pillow's decoders raise whatever the broken bytes make of them.
    except Exception as error:
        raise UserError(f"{path} is not a readable image: {error}") from None


def overlay_path(path, output_dir):
    return pathlib.Path(output_dir) / f"{pathlib.Path(path).stem}_overlay.png"


def overlay_paths(paths, output_dir):
    """The overlay of each image.

    Raises:
        UserError: two images would have the same.
    """
    outputs = [overlay_path(path, output_dir) for path in paths]
    twice = {output for output in outputs if outputs.count(output) > 1}
    if twice:
        raise UserError(
            f"{len(twice)} overlays would be written twice, e.g. "
            f"{min(twice)}: rename images of the same name"
        )
    return outputs


def define_flags():
    """Not at import: this module is also a library."""
    flags.DEFINE_string(
        "model",
        None,
        "A work directory that train.py made, or a .tflite file.",
        required=True,
    )
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for the overlays; made if absent.",
        required=True,
    )
    flags.DEFINE_bool(
        "overwrite", False, "Replace overlays that are there already."
    )


def main(argv):
    paths = argv[1:]
    if not paths:
        raise app.UsageError("name the images to segment after the flags")
    outputs = overlay_paths(paths, flags.FLAGS.output_dir)
    for path in paths:
        check_header(path)
    require_writable(flags.FLAGS.output_dir)
    present = [output for output in outputs if output.exists()]
    if present and not flags.FLAGS.overwrite:
        raise UserError(f"{present[0]} exists; --overwrite replaces it")
    cli.import_tensorflow()
    from deepgbass.predictors import load_predictor
    from deepgbass.progress import track
    from deepgbass.visualize import overlay, save_png

    predictor = load_predictor(flags.FLAGS.model)
    pairs = list(zip(paths, outputs, strict=True))
    for path, output in track(pairs, "segmenting", len(pairs)):
        image = load_image(path)
        label = predictor(image)
        save_png(output, overlay(image, label, predictor.info.colors))
    print(f"{len(outputs)} overlays in {flags.FLAGS.output_dir}")


def run():
    define_flags()
    cli.run(main, positional="images")


if __name__ == "__main__":
    run()

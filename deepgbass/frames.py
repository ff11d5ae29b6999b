"""Where pictures to segment come from: image files and folders of them."""

import contextlib
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from deepgbass.errors import UserError

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class ImageFile(NamedTuple):
    """An image to read.

    Attributes:
        path: of the file.
        name: what its results are called: a path without a suffix, with the
            sub-folders of the folder that it was found in.
        listed: whether the user named it, and not a folder.
    """

    path: pathlib.Path
    name: pathlib.Path
    listed: bool


def find_images(words, is_result):
    """The images that files and folders stand for.

    Args:
        words: paths. Folders are searched with all below them, but for
            hidden files.
        is_result: function of a path, whether it is a result of ours and no
            image to segment.

    Returns:
        list of `ImageFile`; those of a folder by their paths.

    Raises:
        UserError: a folder holds no image.
    """
    found = []
    for word in map(pathlib.Path, words):
        if not word.is_dir():
            found.append(ImageFile(word, pathlib.Path(word.stem), True))
            continue
        paths = [path for path in _below(word) if not is_result(path)]
        if not paths:
            raise UserError(
                f"{word} holds no image: looked in it and below it for "
                f"{', '.join(_SUFFIXES)}"
            )
        names = [path.relative_to(word).with_suffix("") for path in paths]
        found += map(ImageFile, paths, names, [False] * len(paths))
    return found


def _below(folder):
    """The visible image files of a folder and those below it, in order."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
        and not any(p.startswith(".") for p in path.relative_to(folder).parts)
        and path.is_file()
    )


def load_image(path):
    """An image file as uint8 RGB `(height, width, 3)`, upright.

    Raises:
        UserError: the file is missing or not an image.
    """
    with _open_image(path) as image:
        return upright_rgb(image)


def upright_rgb(image):
    """A Pillow image of any kind as uint8 RGB `(height, width, 3)`, upright.

    Of 16-bit grey the high byte counts, as where records are decoded.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        # Pillow would take all from 255 on for white.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return np.asarray(image.convert("RGB"))


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
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    # Pillow's decoders raise whatever the broken bytes make of them.
    except Exception as error:
        raise UserError(f"{path} is not a readable image: {error}") from None

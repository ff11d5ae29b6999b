"""What was uploaded, as an image: only what is one, and not too large."""

import io
import warnings

from PIL import Image

from deepgbass.errors import UserError
from deepgbass.frames import upright_rgb

MAX_BYTES = 25_000_000
MAX_PIXELS = 20_000_000
# Beyond it browsers draw nothing.
MAX_SIDE = 16_384
# Those that browsers know. Pillow reads more, some of them by means of other
# programs.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


class Refused(UserError):
    """A request that is not fulfilled.

    Attributes:
        status: of HTTP, 400 or above.
    """

    def __init__(self, status, message):
        super().__init__(message)
        self.status = int(status)


def read_image(content):
    """An uploaded file as an image.

    Args:
        content: bytes of the file.

    Returns:
        uint8 RGB `(height, width, 3)`, upright. Of an animation, its first
        picture.

    Raises:
        Refused: it is not an image, broken or too large. The size is taken
            from the file's header, before any pixel is decoded.
    """
    try:
        with _opened(content) as image:
            _check_size(image.size)
            return upright_rgb(image)
    except Refused:
        raise
    except Image.UnidentifiedImageError:
        raise Refused(
            415,
            "This file is not an image that can be read here; choose a JPEG, "
            "PNG, WebP, GIF or BMP file.",
        ) from None
    except Image.DecompressionBombError:
        raise Refused(413, _too_large("The image is far too large")) from None
    # Pillow's decoders raise whatever the broken bytes make of them.
    except Exception as error:
        raise Refused(
            422, f"The image is broken and cannot be decoded: {error}."
        ) from None


def _opened(content):
    """A file as a Pillow image, of which only the header was read."""
    with warnings.catch_warnings():
        # Of large images: those are refused.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(content), formats=FORMATS)


def _check_size(size):
    width, height = size
    if width * height > MAX_PIXELS:
        millions = width * height / 1e6
        raise Refused(
            413,
            _too_large(
                f"The image has {width} x {height} pixels, {millions:.1f} "
                "megapixels"
            ),
        )
    if max(size) > MAX_SIDE:
        raise Refused(
            413,
            f"The image has {width} x {height} pixels; no side may be longer "
            f"than {MAX_SIDE:,}.",
        )


def _too_large(found):
    return (
        f"{found}; at most {MAX_PIXELS // 1_000_000} megapixels are taken: "
        "make it smaller first."
    )

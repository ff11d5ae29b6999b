"""What counts as an image, and what is refused before it is decoded."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from deepgbass.demo.upload import MAX_SIDE, Refused, read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)


def encoded(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png_header(width, height):
    """A PNG that says its size, and holds no pixel."""
    fields = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, content in ((b"IHDR", fields), (b"IDAT", b""), (b"IEND", b"")):
        check = struct.pack(">I", zlib.crc32(name + content))
        parts += [struct.pack(">I", len(content)), name, content, check]
    return b"".join(parts)


def refused(content, status, pattern):
    with pytest.raises(Refused, match=pattern) as caught:
        read_image(content)
    assert caught.value.status == status


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP"])
def test_pixels_arrive_as_they_are(form):
    options = {"lossless": True} if form == "WEBP" else {}
    content = encoded(Image.fromarray(PIXELS), form, **options)
    np.testing.assert_array_equal(read_image(content), PIXELS)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK"])
def test_every_kind_of_pixel_becomes_rgb(mode):
    form = "JPEG" if mode == "CMYK" else "PNG"
    image = Image.fromarray(PIXELS).convert("L" if mode == "LA" else mode)
    found = read_image(encoded(image.convert(mode), form))
    assert (found.shape, found.dtype) == ((6, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(1, PIXELS), (3, PIXELS[::-1, ::-1]), (6, np.rot90(PIXELS, -1))],
)
def test_a_turned_photo_is_turned_back(orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(PIXELS), exif=exif)
    np.testing.assert_array_equal(read_image(content), upright)


def test_an_animation_is_its_first_picture():
    pictures = [Image.new("RGB", (4, 6), color) for color in ("red", "blue")]
    content = encoded(
        pictures[0], "GIF", save_all=True, append_images=pictures[1:]
    )
    assert (read_image(content) == (255, 0, 0)).all()


@pytest.mark.parametrize(
    "content",
    [
        b"just text",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"\x00" * 100,
        encoded(Image.fromarray(PIXELS), "TIFF"),
    ],
)
def test_other_files_are_no_images(content):
    refused(content, 415, "not an image.*choose a JPEG")


@pytest.mark.parametrize(
    ("width", "height"), [(5000, 4001), (12_000, 12_000), (60_000, 60_000)]
)
def test_too_many_pixels_are_refused_by_the_header(width, height):
    refused(png_header(width, height), 413, "at most 20 megapixels")


def test_no_side_may_be_too_long():
    refused(png_header(MAX_SIDE + 1, 1), 413, "no side may be longer")


def test_the_limits_themselves_are_allowed():
    # Both get as far as being decoded.
    refused(png_header(5000, 4000), 422, "broken")
    refused(png_header(MAX_SIDE, 1), 422, "broken")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_image_is_broken(form):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = encoded(Image.fromarray(noise), form)
    with pytest.raises(Refused) as caught:
        read_image(content[: len(content) // 2])
    assert caught.value.status in (415, 422)

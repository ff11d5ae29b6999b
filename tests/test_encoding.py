import io

import numpy as np
import pytest
from image_files import decode, encode, random_image, random_label
from PIL import Image

from deepgbass.data import decoding
from deepgbass.data.encoding import storable_image, storable_label
from deepgbass.errors import UserError

RNG = np.random.default_rng(0)
IMAGE, LABEL = random_image(RNG), random_label(RNG)
PICTURE = Image.fromarray(IMAGE)


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


@pytest.mark.parametrize(
    "encoded",
    [
        encode(IMAGE, "JPEG"),
        encode(PICTURE.convert("L"), "JPEG"),
        encode(IMAGE, "JPEG", exif=exif(1)),
        encode(IMAGE),
        encode(PICTURE.convert("RGBA")),
        encode(PICTURE.convert("P")),
        encode(IMAGE, "JPEG")[:100],
        encode(IMAGE)[:100],
    ],
)
def test_what_records_can_hold_is_kept_byte_for_byte(encoded):
    assert storable_image(encoded) == encoded


@pytest.mark.parametrize(
    "encoded, pixels",
    [
        (encode(IMAGE, "BMP"), IMAGE),
        (encode(PICTURE.convert("P"), "BMP"), PICTURE.convert("P")),
        (encode(PICTURE.convert("1"), "BMP"), PICTURE.convert("1")),
        (encode(IMAGE, "WEBP", lossless=True), IMAGE),
    ],
    ids=["BMP", "palette BMP", "1-bit BMP", "WebP"],
)
def test_other_kinds_become_png_without_loss(encoded, pixels):
    stored = storable_image(encoded)
    assert decoding.image_format(stored) == "png"
    if isinstance(pixels, Image.Image):
        pixels = pixels.convert("RGB")
    found = decoding.decode_image(stored)
    np.testing.assert_array_equal(found, np.asarray(pixels))


def test_cmyk_becomes_what_pillow_shows():
    encoded = encode(PICTURE.convert("CMYK"), "JPEG", quality=95)
    shown = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))
    stored = storable_image(encoded)
    np.testing.assert_array_equal(decoding.decode_image(stored), shown)


@pytest.mark.parametrize(
    "orientation, upright",
    [
        (2, IMAGE[:, ::-1]),
        (3, IMAGE[::-1, ::-1]),
        (4, IMAGE[::-1]),
        (5, IMAGE.swapaxes(0, 1)),
        (6, np.rot90(IMAGE, -1)),
        (7, IMAGE[::-1, ::-1].swapaxes(0, 1)),
        (8, np.rot90(IMAGE)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_turns_the_pixels(kind, orientation, upright):
    options = {"lossless": True} if kind == "WEBP" else {}
    encoded = encode(IMAGE, kind, exif=exif(orientation), **options)
    found = decoding.decode_image(storable_image(encoded))
    np.testing.assert_array_equal(found, upright)


def test_a_jpeg_is_turned_after_the_decoding_of_tensorflow():
    plain, turned = (encode(IMAGE, "JPEG", exif=exif(o)) for o in (1, 6))
    upright = np.rot90(decoding.decode_image(plain), -1)
    found = decoding.decode_image(storable_image(turned))
    np.testing.assert_array_equal(found, upright)


def test_unreadable_exif_turns_nothing():
    encoded = encode(IMAGE, "JPEG", exif=b"Exif\x00\x00no TIFF at all")
    assert storable_image(encoded) == encoded


@pytest.mark.parametrize(
    "encoded, message",
    [
        (b"", "the file is empty"),
        (encode(IMAGE, "GIF"), "not a JPEG, PNG, BMP or WebP"),
        (encode(IMAGE, "BMP")[:-50], "the image cannot be decoded"),
        (encode(IMAGE, "WEBP")[:-50], "the image cannot be decoded"),
        (encode(IMAGE, "JPEG", exif=exif(6))[:-90], "image cannot be decoded"),
    ],
)
def test_bad_image_is_refused(encoded, message):
    with pytest.raises(UserError, match=message):
        storable_image(encoded)


def test_ids_are_kept():
    plain = encode(LABEL)
    assert storable_label(plain) == plain
    palette = Image.fromarray(LABEL).convert("P")
    palette.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    for other in (
        encode(palette),
        encode(palette, bits=2),
        encode(palette, "BMP"),
        encode(LABEL, "BMP"),
        encode(LABEL.astype(np.uint16)),
        encode(LABEL, "WEBP", lossless=True),
    ):
        stored = storable_label(other)
        assert decoding.png_header(stored) == (16, 12, 8, 0)
        np.testing.assert_array_equal(decode(stored), LABEL)


@pytest.mark.parametrize(
    "encoded, message",
    [
        (b"", "the file is empty"),
        (encode(LABEL, "JPEG"), "the label is not a PNG, BMP or WebP"),
        (encode(LABEL.astype(np.uint16) * 300), "ids 300, 600 do not fit"),
        (encode(Image.fromarray(LABEL).convert("P"))[:-30], "cannot be deco"),
        (encode(LABEL.astype(np.uint16))[:-30], "cannot be decoded"),
        (encode(LABEL, "BMP")[:-30], "the label cannot be decoded"),
        (encode(IMAGE, "BMP"), "the label is RGB-coded"),
        (encode(LABEL, "WEBP"), "not a lossless WebP"),
        (encode(IMAGE, "WEBP", lossless=True), r"RGB-coded \(3 channels\)"),
    ],
)
def test_bad_label_is_refused(encoded, message):
    with pytest.raises(UserError, match=message):
        storable_label(encoded)

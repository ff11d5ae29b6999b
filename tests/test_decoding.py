import numpy as np
import pytest
from image_files import decode, encode, random_image
from PIL import Image

from deepgbass.data import decoding

PICTURE = Image.fromarray(random_image(np.random.default_rng(0), 21, 35))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_decodes_to_the_rgb_of_pillow(kind, mode):
    encoded = encode(PICTURE.convert(mode), kind)
    expected = decode(encoded)
    if mode == "L":
        expected = np.repeat(expected[..., np.newaxis], 3, axis=2)
    image = decoding.decode_image(encoded).numpy()
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_alpha_is_dropped(kind):
    encoded = encode(PICTURE.convert("RGBA"), kind)
    np.testing.assert_array_equal(decoding.decode_image(encoded), PICTURE)


def test_label_keeps_every_id():
    label = np.arange(256, dtype=np.uint8).reshape(8, 32)
    decoded = decoding.decode_label(encode(label)).numpy()
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, label)


@pytest.mark.parametrize(
    "mode, bits, color_type",
    [("L", 8, 0), ("1", 1, 0), ("I;16", 16, 0), ("RGB", 8, 2), ("P", 8, 3)],
)
def test_png_header(mode, bits, color_type):
    picture = PICTURE.convert("I;16" if mode == "I;16" else mode)
    header = decoding.png_header(encode(picture))
    assert header == (35, 21, bits, color_type)


def test_formats_are_told_by_content():
    for kind in ("JPEG", "PNG", "BMP"):
        assert decoding.image_format(encode(PICTURE, kind)) == kind.lower()
    assert decoding.image_format(encode(PICTURE, "GIF")) is None
    assert decoding.png_header(encode(PICTURE, "JPEG")) is None

"""Images of folders, and files that are none; see also `test_predict`."""

import numpy as np
import pytest
from PIL import Image

from deepgbass.errors import UserError
from deepgbass.frames import find_images, load_image

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 70, 3), np.uint8)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_keep_their_order_and_folders_are_sorted(tmp_path):
    touch(tmp_path, "z.png", "in/b.jpg", "in/a.TIFF", "in/c/a.webp")
    touch(tmp_path, "in/.a.png", "in/.git/a.png", "in/readme.md")
    (tmp_path / "in" / "folder.png").mkdir()
    words = [tmp_path / "z.png", tmp_path / "in", tmp_path / "none.png"]
    found = find_images(words, is_result=lambda path: path.stem == "b")
    assert [str(image.name) for image in found] == ["z", "a", "c/a", "none"]
    assert [image.listed for image in found] == [True, False, False, True]
    assert found[2].path == tmp_path / "in" / "c" / "a.webp"


def test_a_folder_of_results_alone_holds_no_image(tmp_path):
    touch(tmp_path, "a.png")
    with pytest.raises(UserError, match="holds no image"):
        find_images([tmp_path], is_result=lambda path: True)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_an_image_that_ends_early_is_named(tmp_path, kind):
    path = tmp_path / "torn"
    Image.fromarray(PIXELS).save(path, format=kind)
    content = path.read_bytes()
    for size in (len(content) // 2, len(content) // 10):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match="torn is not a readable image"):
            load_image(path)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16"])
def test_images_of_any_kind_become_rgb(tmp_path, mode):
    kind = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
    image = Image.fromarray(PIXELS).convert("L" if mode == "I;16" else mode)
    image.convert(mode).save(tmp_path / "image", format=kind)
    loaded = load_image(tmp_path / "image")
    assert loaded.shape == PIXELS.shape and loaded.dtype == np.uint8


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_of_sixteen_bits_the_high_byte_counts(tmp_path, kind):
    grey = np.arange(0, 65536, 37, dtype=np.uint16)[:1750].reshape(50, 35)
    Image.fromarray(grey).save(tmp_path / "deep", format=kind)
    loaded = load_image(tmp_path / "deep")
    np.testing.assert_array_equal(loaded, (grey // 256)[..., None].repeat(3, 2))

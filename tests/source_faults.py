"""Faults of a folder that is converted, for `test_data_faults.py`."""

import contextlib
import os
import resource
import shutil
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from image_files import decode, encode
from PIL import Image

from deepgbass import lock

IDS = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16) % 3
RED = np.full((12, 16, 3), (200, 30, 30), np.uint8)


class Source(NamedTuple):
    """A fault of a folder.

    Attributes:
        message: What the error has to match; None for what is no fault.
        spoil: Function of the folder, the data directory and monkeypatch;
            may be a context manager that ends before the folder is mended.
        check: Function of the stored example `a` if there is no error.
    """

    message: str | None
    spoil: Callable
    check: Callable | None = None


def image(data, name="a.jpg"):
    """Spoils by another image file."""

    def spoil(source, *_):
        (source / "images/train/a.jpg").unlink()
        (source / "images/train" / name).write_bytes(data)

    return spoil


def label(data, name="a.png"):
    """Spoils by another label file."""

    def spoil(source, *_):
        (source / "labels/train/a.png").unlink()
        (source / "labels/train" / name).write_bytes(data)

    return spoil


def cut(path, size):
    """Spoils by keeping the first bytes of a file."""

    def spoil(source, *_):
        (source / path).write_bytes((source / path).read_bytes()[:size])

    return spoil


def without(path):
    return lambda source, *_: (source / path).unlink()


def copied(path, to):
    """Spoils by a second file."""
    return lambda source, *_: shutil.copy(source / path, source / to)


def emptied(source, *_):
    for path in source.glob("*/train/*"):
        path.unlink()


def unreadable_file(source, *_):
    # A link to itself, which not even root can read.
    path = source / "images/train/a.jpg"
    path.unlink()
    path.symlink_to(path)


@contextlib.contextmanager
def unreadable_folder(source, _, monkeypatch):
    scandir = os.scandir
    (source / "images/train/deep").mkdir()

    def refusing(path):
        # Mode 0 would not stop root.
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        yield
    (source / "images/train/deep").rmdir()


@contextlib.contextmanager
def full_disk(source, *_):
    # Python ignores the signal, so a write fails as on a full disk.
    noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)
    big = source / "images/train/a.jpg"
    big.write_bytes(encode(noise, "PNG"))
    (source / "labels/train/a.png").write_bytes(encode(noise[..., 0] % 3))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def second_converter(source, data_dir, _):
    with lock.locked_folder(data_dir / ".converting", "conversion"):
        yield


@contextlib.contextmanager
def read_only_target(source, data_dir, monkeypatch):
    mkdir = type(data_dir).mkdir

    def refusing(path, *args, **options):
        if path.name == ".converting":
            raise OSError(30, "Read-only file system", str(path))
        mkdir(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(data_dir), "mkdir", refusing)
        yield


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def turned(example):
    upright = decode(example.image)
    assert upright.shape == (12, 16, 3)
    # The top of the scene is red; the camera lay on its side.
    assert upright[1, :, 0].min() > 150 > upright[-2, :, 0].max()


def on_its_side(source, *_):
    scene = RED.copy()
    scene[6:] = 10
    stored_turned = np.rot90(scene, 1)  # orientation 6 turns it back
    path = source / "images/train/a.jpg"
    path.write_bytes(encode(stored_turned, "JPEG", exif=exif(6)))


def red(example):
    np.testing.assert_allclose(decode(example.image), RED, atol=6)


def ids(example):
    np.testing.assert_array_equal(decode(example.label), IDS)


def odd_name(source, *_):
    for folder, suffix in (("images", "jpg"), ("labels", "png")):
        path = source / folder / "train" / f"a.{suffix}"
        path.rename(path.with_name(f"ein Bild 大é.{suffix}"))


def named(example):
    assert example.filename == "ein Bild 大é.jpg"


def one_pixel(source, *_):
    image(encode(RED[:1, :1], "JPEG"))(source)
    label(encode(IDS[:1, :1]))(source)


def megapixels(source, *_):
    image(encode(np.zeros((4000, 5000, 3), np.uint8), "JPEG"))(source)
    label(encode(np.ones((4000, 5000), np.uint8), compress_level=1))(source)


def palette():
    picture = Image.fromarray(IDS).convert("P")
    picture.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    return encode(picture)


def with_alpha(array):
    return encode(Image.fromarray(array).convert("RGBA"))


GRAY_ALPHA = encode(Image.fromarray(IDS).convert("LA"))
BAD = "source: 1 of 4 are bad: "
SOURCES = {
    "truncated image": Source(
        BAD + "train/a.jpg: the image cannot be decoded",
        cut("images/train/a.jpg", 200),
    ),
    "truncated label": Source(
        BAD + "train/a.jpg: the label cannot be decoded",
        cut("labels/train/a.png", 70),
    ),
    "truncated palette label": Source(
        BAD + ".*labels/train/a.png: the label cannot be decoded",
        label(palette()[:-20]),
    ),
    "empty image file": Source(
        BAD + ".*images/train/a.jpg: the file is empty", image(b"")
    ),
    "empty label file": Source(
        BAD + ".*labels/train/a.png: the file is empty", label(b"")
    ),
    "not an image": Source(
        BAD + ".*train/a.jpg: the image is not a JPEG, PNG, BMP or WebP",
        image(b"<html>404</html>"),
    ),
    "label that is a JPEG": Source(
        BAD + ".*train/a.png: the label is not a PNG, BMP or WebP",
        label(encode(IDS, "JPEG")),
    ),
    "missing label": Source(
        "images/train/a.jpg has no label in .*labels/train",
        without("labels/train/a.png"),
    ),
    "label without image": Source(
        "labels/train/a.png has no image in .*images/train",
        without("images/train/a.jpg"),
    ),
    "label of another size": Source(
        BAD + "train/a.jpg: the image is 12x16, the label 12x15",
        label(encode(IDS[:, 1:])),
    ),
    "ids outside the classes": Source(
        BAD + "train/a.jpg: label ids 3, 255 are neither classes .0 to 2. nor "
        "the ignored 7",
        label(encode(np.where(IDS == 2, 255, IDS + 2).astype(np.uint8))),
    ),
    "16-bit label beyond 8 bits": Source(
        BAD + ".*train/a.png: label ids 257 do not fit into 8 bits",
        label(encode(np.where(IDS == 1, 257, 0).astype(np.uint16))),
    ),
    "1-bit label": Source(
        BAD + "train/a.jpg: the label has 1 bits, not 8",
        label(encode(Image.fromarray(IDS > 0))),
    ),
    "RGB-coded label": Source(
        BAD + r"train/a.jpg: the label is RGB-coded \(3 channels\)",
        label(encode(RED)),
    ),
    "RGBA-coded label": Source(
        BAD + r"train/a.jpg: the label is RGB-coded \(4 channels\)",
        label(with_alpha(RED)),
    ),
    "label with an alpha channel": Source(
        BAD + "train/a.jpg: the label has an alpha channel", label(GRAY_ALPHA)
    ),
    "lossy WebP label": Source(
        BAD + ".*train/a.webp: the label is not a lossless WebP",
        label(encode(IDS, "WEBP"), "a.webp"),
    ),
    "names that collide": Source(
        "images/train/a.png: has the name of a.jpg",
        copied("images/train/a.jpg", "images/train/a.png"),
    ),
    "another kind of file": Source(
        "images/train/a.txt: want one of .jpg, .jpeg, .png",
        copied("images/train/a.jpg", "images/train/a.txt"),
    ),
    "empty folder": Source("images/train: holds no images", emptied),
    "unreadable file": Source(
        BAD + ".*images/train/a.jpg: cannot be read: Too many levels",
        unreadable_file,
    ),
    "unreadable folder": Source(
        "train/deep: cannot be read: Permission denied", unreadable_folder
    ),
    "full disk": Source("data: cannot be written: File too large", full_disk),
    "two converters": Source(
        "data: another conversion writes here now", second_converter
    ),
    "read-only target": Source(
        "data: cannot be written: Read-only file system", read_only_target
    ),
    "palette label": Source(None, label(palette()), ids),
    "16-bit label": Source(None, label(encode(IDS.astype(np.uint16))), ids),
    "BMP label": Source(None, label(encode(IDS, "BMP"), "a.bmp"), ids),
    "WebP label": Source(
        None, label(encode(IDS, "WEBP", lossless=True), "a.webp"), ids
    ),
    "image with an alpha channel": Source(
        None,
        image(with_alpha(RED), "a.png"),
        lambda example: tf.debugging.assert_equal(
            tf.io.decode_png(example.image, 3), RED
        ),
    ),
    "CMYK JPEG": Source(
        None, image(encode(Image.fromarray(RED).convert("CMYK"), "JPEG")), red
    ),
    "WebP image": Source(
        None, image(encode(RED, "WEBP", lossless=True), "a.webp"), red
    ),
    "EXIF rotation": Source(None, on_its_side, turned),
    "1x1 image": Source(None, one_pixel, lambda example: None),
    "20-megapixel image": Source(None, megapixels, lambda example: None),
    "unicode and space in names": Source(None, odd_name, named),
}

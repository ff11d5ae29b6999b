"""Logits to label maps, beside the plain ways and beside TensorFlow."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from test_sampling import position

from deepgbass.errors import UserError
from deepgbass.ondevice.postprocess import (
    bilinear_labels,
    enlarge_labels,
    nearest_labels,
)
from deepgbass.predictors import logits_to_label

# Size of the logits, the input, the content and the image.
SIZES = [
    ((6, 5), (24, 20), (24, 20), (24, 20)),
    ((6, 5), (21, 18), (21, 18), (21, 18)),
    ((6, 5), (24, 20), (17, 20), (17, 20)),
    ((6, 5), (24, 20), (24, 13), (31, 17)),
    ((6, 5), (24, 20), (20, 20), (9, 9)),
    ((1, 5), (4, 20), (4, 20), (4, 20)),
    ((1, 1), (4, 4), (3, 2), (3, 2)),
    ((4, 4), (4, 4), (4, 4), (4, 4)),
]
DTYPES = (np.int8, np.uint8, np.float32)


def random_logits(shape, dtype=np.int8, spread=3, seed=0):
    """Logits of few values: with many ties."""
    rng = np.random.default_rng(seed)
    middle = 128 if dtype == np.uint8 else 0
    values = middle + rng.integers(-spread, spread + 1, shape)
    return values.astype(dtype)


def smooth_logits(size, classes, every=8, seed=0):
    """int8 logits as a network gives them: of classes in large regions."""
    rng = np.random.default_rng(seed)
    few = [max(n // every, 1) for n in size]
    maps = [
        Image.fromarray(rng.normal(0, 40, few).astype(np.float32)).resize(
            size[::-1], Image.Resampling.BILINEAR
        )
        for _ in range(classes)
    ]
    values = np.stack([np.asarray(m) for m in maps], axis=-1)
    return np.clip(np.rint(values), -128, 127).astype(np.int8)


def plain_labels(logits, size, content, native, aligned):
    """The argmax of exact means: of Fractions, all pixels and classes."""
    values = logits.astype(object)
    for axis in (0, 1):
        sides = logits.shape[axis], size[axis], content[axis], native[axis]
        rows = []
        for pixel in range(native[axis]):
            place = position(pixel, *sides, aligned)
            place = min(max(place, Fraction(0)), Fraction(sides[0] - 1))
            before = int(place)
            behind = min(before + 1, sides[0] - 1)
            share = place - before
            rows.append(
                values.take(before, axis) * (1 - share)
                + values.take(behind, axis) * share
            )
        values = np.stack(rows, axis)
    return values.argmax(-1)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("dtype", DTYPES[:2])
def test_integers_give_the_exact_argmax_ties_included(sizes, aligned, dtype):
    logits = random_logits((*sizes[0], 4), dtype)
    found = bilinear_labels(logits, *sizes[1:], aligned)
    assert found.dtype == np.uint8
    expected = plain_labels(logits.astype(int), *sizes[1:], aligned)
    np.testing.assert_array_equal(found, expected)


def enlarged_argmax(logits, size):
    """Exact for bytes: their means by small powers of 2 are floats."""
    values = tf.image.resize(logits[None].astype(np.float32), size)
    return np.argmax(values[0], axis=-1)


@pytest.mark.parametrize("factor", [2, 4, 8, 16])
@pytest.mark.parametrize("classes", [1, 19, 255])
def test_extreme_integers_do_not_overflow(factor, classes):
    rng = np.random.default_rng(factor)
    logits = rng.choice([-128, 127], (4, 5, classes)).astype(np.int8)
    size = 4 * factor, 5 * factor
    np.testing.assert_array_equal(
        bilinear_labels(logits, size, size, size),
        enlarged_argmax(logits, size),
    )


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_floats_give_the_argmax_up_to_rounding(sizes, aligned):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(*sizes[0], 5)).astype(np.float32)
    found = bilinear_labels(logits, *sizes[1:], aligned)
    # Exactly, the integers' way: of the same numbers, multiplied up.
    expected = plain_labels(
        (logits.astype(np.float64) * 2**40).astype(np.int64),
        *sizes[1:],
        aligned,
    )
    np.testing.assert_array_equal(found, expected)


def test_many_chunks_are_as_good_as_one():
    logits = np.random.default_rng(0).integers(-128, 128, (60, 80, 7), np.int8)
    size = 240, 320
    np.testing.assert_array_equal(
        bilinear_labels(logits, size, size, size),
        enlarged_argmax(logits, size),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_nearest_is_the_argmax_repeated(sizes, dtype):
    logits = random_logits((*sizes[0], 6), dtype)
    found = nearest_labels(logits, *sizes[1:])
    assert found.dtype == np.uint8 and found.shape == sizes[-1]
    expected = enlarge_labels(logits.argmax(-1), *sizes[1:])
    np.testing.assert_array_equal(found, expected)


def test_enlarged_labels_keep_their_blocks_and_type():
    labels = np.arange(12, dtype=np.int32).reshape(3, 4)
    found = enlarge_labels(labels, (12, 16), (12, 16), (12, 16))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, labels.repeat(4, 0).repeat(4, 1))
    cropped = enlarge_labels(labels, (12, 16), (8, 8), (16, 16))
    np.testing.assert_array_equal(
        cropped, labels[:2, :2].repeat(8, 0).repeat(8, 1)
    )


def resized_twice(logits, size, content, native, aligned=False):
    """As `KerasPredictor` undoes the letterbox."""
    shapes = (tf.constant(s) for s in (size, content, native))
    logits = tf.constant(logits[None], tf.float32)
    return logits_to_label(logits, *shapes, aligned).numpy()


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("content", [(96, 128), (90, 128), (96, 61)])
def test_without_a_resize_the_predictors_agree(content, aligned):
    logits = smooth_logits((24, 32), 9)
    found = bilinear_labels(logits, (96, 128), content, content, aligned)
    expected = resized_twice(logits, (96, 128), content, content, aligned)
    # Aligned corners make thirds, which TensorFlow rounds.
    assert np.mean(found != expected) <= (2e-4 if aligned else 0)


@pytest.mark.parametrize("native", [(60, 80), (192, 256), (301, 400)])
def test_one_resize_is_close_to_two(native):
    logits = smooth_logits((24, 32), 9)
    size = 96, 128
    found = bilinear_labels(logits, size, size, native)
    expected = resized_twice(logits, size, size, native)
    assert np.mean(found != expected) < 0.005


def test_what_is_beyond_the_content_has_no_say_within():
    # Enlarged by 8: pixels of the image lie beyond the last centre of the
    # content, nearer to the padding's logits.
    logits = np.zeros((8, 8, 2), np.int8)
    logits[:, 4:, 1] = 127
    found = bilinear_labels(logits, (8, 8), (8, 4), (64, 32))
    assert not found.any()


@pytest.mark.parametrize("labels", [bilinear_labels, nearest_labels])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_refused(labels, value):
    logits = np.zeros((2, 2, 3), np.float32)
    logits[1, 0, 2] = value
    with pytest.raises(UserError, match="not finite: it diverged"):
        labels(logits, (4, 4), (4, 4), (4, 4))


def test_enlarged_logits_are_never_held():
    # Enlarged by 16, so that the logits themselves are small. All cells are
    # mixed, and most classes rival in each: the worst case.
    rng = np.random.default_rng(0)
    logits = rng.integers(-128, 128, (32, 32, 19), np.int8)
    size = 512, 512
    bilinear_labels(logits, size, size, size)
    tracemalloc.start()
    labels = bilinear_labels(logits, size, size, size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    row_of_logits = 512 * 19 * 4
    assert peak - labels.nbytes < 12 * row_of_logits

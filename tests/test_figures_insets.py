"""Where networks differ most, by hand."""

import numpy as np
import pytest

from deepgbass.errors import UserError
from deepgbass.figures.insets import best_window, choose_insets, difference


def test_difference_counts_pairs_at_the_class_alone():
    label = np.array([[1, 1, 0]])
    predictions = [
        np.array([[1, 1, 0]]),
        np.array([[1, 0, 2]]),
        np.array([[1, 0, 2]]),
    ]
    np.testing.assert_array_equal(
        difference(label, predictions, 1), [[0, 2, 0]]
    )


def test_best_window_is_that_of_all_windows():
    score = np.random.default_rng(0).integers(0, 5, (9, 11))
    height, width = 3, 4
    sums = {
        (top, left): score[top : top + height, left : left + width].sum()
        for top in range(9 - height + 1)
        for left in range(11 - width + 1)
    }
    total, top, left = best_window(score, (height, width))
    assert total == max(sums.values()) == sums[top, left]
    assert (top, left) == next(k for k, v in sums.items() if v == total)


def test_a_window_must_fit():
    with pytest.raises(UserError, match="does not fit"):
        best_window(np.zeros((2, 9), int), (3, 3))


def scenes():
    """Three images of 10x10: class 1 at one place of each, two networks."""
    for place in ((1, 1), (8, 8), (5, 5)):
        label = np.zeros((10, 10), int)
        label[place] = 1
        label[0, 9] = 2
        wrong = label.copy()
        if place != (1, 1):
            wrong[place] = 0
        yield label, [label, wrong]


def test_insets_are_where_networks_differ_and_images_differ_too():
    first, second = choose_insets(scenes(), [1, 2])
    # In image 0 both networks are right; of 1 and 2 the first is taken.
    assert first.image == 1 and first.score == (1, 1)
    top, left, height, width = first.window
    assert (height, width) == (2, 2)
    assert top <= 8 < top + height and left <= 8 < left + width
    # Nobody differs about class 2: most pixels, and not image 1 again.
    assert second.image == 0 and second.score == (0, 1)
    assert choose_insets(scenes(), [1, 2]) == [first, second]


def test_every_class_needs_an_image():
    with pytest.raises(UserError, match="3 images"):
        choose_insets(scenes(), [0, 1, 2, 0])

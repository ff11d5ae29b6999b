"""Which images calibrate, and how they look."""

import numpy as np
import pytest
from tiny import SIZE, write_tiny

from deepgbass.data.dataset_info import IGNORE_LABEL
from deepgbass.data.pipeline import load_dataset
from deepgbass.errors import UserError
from deepgbass.export.calibration import boundary_share, choose_images
from deepgbass.letterbox import letterbox


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = write_tiny(tmp_path_factory.mktemp("data"), train=9)
    return load_dataset(folder, "train")


def fitted(dataset, size):
    return [letterbox(e["image"], size)[0] for e in dataset.examples()]


def test_images_are_fitted_as_in_evaluation(dataset):
    size = (64, 80)  # larger than the images
    found = list(choose_images(dataset, size, count=9))
    np.testing.assert_array_equal(found, fitted(dataset, size))


def test_the_images_are_spread_over_the_split(dataset):
    everything = fitted(dataset, SIZE)
    found = list(choose_images(dataset, SIZE, count=3))
    expected = [everything[i] for i in (0, 4, 8)]
    np.testing.assert_array_equal(found, expected)
    # A split with fewer images than the default gives all.
    assert len(list(choose_images(dataset, SIZE))) == 9


def test_boundary_sampling_takes_the_best_of_each_part(dataset):
    shares = [boundary_share(e["label"]) for e in dataset.examples()]
    everything = fitted(dataset, SIZE)
    found = list(choose_images(dataset, SIZE, count=3, sampling="boundary"))
    expected = [
        everything[start + int(np.argmax(shares[start : start + 3]))]
        for start in (0, 3, 6)
    ]
    np.testing.assert_array_equal(found, expected)


def test_the_boundary_share_counts_pairs_of_labelled_pixels():
    label = np.array([[0, 1, IGNORE_LABEL], [0, 0, 0]])
    # 2 of 7 pairs of neighbours are of two classes.
    assert boundary_share(label) == pytest.approx(2 / 7)
    assert boundary_share(np.full((3, 3), IGNORE_LABEL)) == 0.0
    assert boundary_share(np.zeros((1, 1), int)) == 0.0


def test_more_images_than_there_are_is_refused(dataset):
    with pytest.raises(UserError, match="'train' has 9 images; choose 1 to 9"):
        choose_images(dataset, SIZE, count=10)


def test_boundary_sampling_without_labels_is_refused(dataset):
    class Unlabelled:
        split = "train"

        def __len__(self):
            return len(dataset)

        def examples(self, indices=None):
            for example in dataset.examples(indices):
                ignored = np.full_like(example["label"], IGNORE_LABEL)
                yield example | {"label": ignored}

    assert list(choose_images(Unlabelled(), SIZE))
    with pytest.raises(UserError, match="no labelled boundaries; use even"):
        choose_images(Unlabelled(), SIZE, sampling="boundary")

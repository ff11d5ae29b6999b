"""Ids of label files, for predictions that others read."""

import pytest

from deepgbass.data import ade20k, tfds
from deepgbass.data.camvid import CAMVID
from deepgbass.data.cityscapes_ids import CITYSCAPES
from deepgbass.data.original_ids import original_ids


def test_cityscapes_gets_the_label_ids_of_its_server():
    ids = original_ids(CITYSCAPES).tolist()
    assert ids[:3] == [7, 8, 11] and ids[-1] == 33


@pytest.mark.parametrize("name", tfds.KNOWN)
def test_reading_the_ids_again_gives_the_classes(name):
    known = tfds.KNOWN[name]
    ids = original_ids(known.info).tolist()
    assert [known.new_ids[i] for i in ids] == list(range(len(ids)))


@pytest.mark.parametrize("info", [CAMVID, ade20k.describe("paper")])
def test_sets_that_are_stored_as_they_are_keep_their_ids(info):
    assert original_ids(info).tolist() == list(range(info.num_classes))

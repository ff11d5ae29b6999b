"""A record is what TF DeepLab reads, and what is none of its is refused."""

import numpy as np
import pytest
import tensorflow as tf
from image_files import decode, random_examples

from deepgbass.data.record import (
    deserialize_example,
    parse_example,
    serialize_example,
)
from deepgbass.errors import UserError


def test_schema_is_that_of_tf_deeplab():
    (example,) = random_examples(1)
    record = tf.train.Example.FromString(serialize_example(example))
    values = {
        key: (*value.bytes_list.value, *value.int64_list.value)
        for key, value in record.features.feature.items()
    }
    assert values == {
        "image/encoded": (example.image,),
        "image/filename": (example.filename.encode(),),
        "image/format": (b"jpeg",),
        "image/height": (12,),
        "image/width": (16,),
        "image/channels": (3,),
        "image/segmentation/class/encoded": (example.label,),
        "image/segmentation/class/format": (b"png",),
    }


def test_parse_gives_pixels_ids_and_name():
    (example,) = random_examples(1)
    parsed = parse_example(serialize_example(example))
    np.testing.assert_array_equal(parsed["image"], decode(example.image))
    np.testing.assert_array_equal(parsed["label"], decode(example.label))
    assert parsed["filename"].numpy().decode() == example.filename


@pytest.mark.parametrize("key", ["image/encoded", None])
def test_foreign_record_is_refused(key):
    features = {
        "image/segmentation/class/encoded": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[b"label"])
        )
    }
    record = tf.train.Example(features=tf.train.Features(feature=features))
    payload = record.SerializeToString() if key else b"\xff\xff nonsense"
    with pytest.raises(UserError, match=key or "not a tf.train.Example"):
        deserialize_example(payload)

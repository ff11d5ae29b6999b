"""A record is what TF DeepLab reads, and what is none of its is refused."""

import numpy as np
import pytest
import tensorflow as tf
from image_files import decode, random_examples

from deepgbass.data.record import (
    deserialize_example,
    parse_example,
    parse_features,
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


FILES = ("image/encoded", "image/segmentation/class/encoded")


def payload(*keys):
    """A record with these features alone."""
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"file"]))
    features = tf.train.Features(feature=dict.fromkeys(keys, value))
    return tf.train.Example(features=features).SerializeToString()


def test_a_record_without_image_or_label_is_refused():
    for there, lacking in (FILES, FILES[::-1]):
        with pytest.raises(UserError, match=f"no feature {lacking}"):
            deserialize_example(payload(there))
        with pytest.raises(tf.errors.InvalidArgumentError, match=lacking):
            parse_features(payload(there))
    with pytest.raises(UserError, match="not a tf.train.Example"):
        deserialize_example(b"\xff\xff nonsense")


def test_a_record_without_a_name_is_read():
    assert deserialize_example(payload(*FILES)) == ("", b"file", b"file")
    assert parse_features(payload(*FILES))["filename"] == b""

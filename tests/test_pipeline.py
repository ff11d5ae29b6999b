import time

import numpy as np
import pytest
import tensorflow as tf
from gray_set import (
    COUNT,
    INFO,
    KINDS,
    assert_equal,
    seen,
    write_gray_set,
    write_one,
)
from image_files import decode, encode, random_image, random_label

from deepgbass.configs import DataConfig
from deepgbass.data import augment, decoding, pipeline, tfrecord
from deepgbass.data.dataset_info import IGNORE_LABEL, DatasetInfo
from deepgbass.data.record import Example, deserialize_example, parse_features
from deepgbass.data.verify import verify_split
from deepgbass.errors import UserError


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_gray_set(tmp_path_factory.mktemp("ten"))


@pytest.fixture
def dataset(data_dir):
    return pipeline.load_dataset(data_dir, "train")


def training_batches(dataset, batch_size=4, seed=5, start_step=0, **config):
    return pipeline.training_batches(
        dataset,
        DataConfig(**{"crop_size": (32, 32)} | config),
        batch_size=batch_size,
        seed=seed,
        start_step=start_step,
    )


def batches(dataset, count, **options):
    data = training_batches(dataset, **options)
    return list(data.take(count).as_numpy_iterator())


def test_examples_are_the_files_in_order(data_dir, dataset):
    examples = list(dataset.examples())
    assert len(examples) == len(dataset) == COUNT
    payloads = tf.data.TFRecordDataset(list(dataset.paths))
    for i, (example, payload) in enumerate(
        zip(examples, payloads.as_numpy_iterator(), strict=True)
    ):
        source = deserialize_example(payload)
        assert example["filename"] == source.filename == str(i)
        assert example["image"].dtype == np.uint8
        np.testing.assert_array_equal(example["image"], decode(source.image))
        label = decode(source.label).astype(np.int32)
        assert 11 in label
        label[label == 11] = IGNORE_LABEL
        assert example["label"].dtype == np.int32
        np.testing.assert_array_equal(example["label"], label)


def test_chosen_examples_come_in_the_chosen_order(dataset):
    chosen = list(dataset.examples([7, 0, 7]))
    assert [example["filename"] for example in chosen] == ["7", "0", "7"]
    assert chosen[0]["image"].shape == (47, 64, 3)


def test_a_name_that_is_not_utf8_can_be_verified_and_read(tmp_path):
    rng = np.random.default_rng(0)
    image, label = encode(random_image(rng)), encode(random_label(rng))
    # A surrogate is how Python spells a byte of a name that is not UTF-8.
    named = Example("stra\udcdfe.png", image, label)
    tfrecord.write_split([named], tmp_path, "train", 1)
    DatasetInfo("one", ("a", "b", "c")).save(tmp_path)
    dataset = pipeline.load_dataset(tmp_path, "train")
    verify_split(dataset)
    (example,) = dataset.examples()
    assert example["filename"] == "stra\ufffde.png"
    stored = parse_features(dataset.read(0))["filename"]
    assert stored.numpy() == b"stra\xdfe.png"


def test_batches_have_the_promised_types(dataset):
    data = training_batches(dataset, crop_size=(32, 48))
    spec = data.element_spec
    assert spec[0] == tf.TensorSpec((4, 32, 48, 3), tf.float32)
    assert spec[1] == tf.TensorSpec((4, 32, 48), tf.int32)
    for image, label in data.take(3).as_numpy_iterator():
        assert image.min() >= 0 and 50 < image.max() <= 255
        assert set(np.unique(label)) == {0, 1, IGNORE_LABEL}


def test_each_image_comes_once_an_epoch(dataset):
    # 15 batches of 4 are 6 epochs of 10: batches cross the borders.
    drawn = seen(batches(dataset, 15, min_scale=1.0))
    epochs = [tuple(drawn[i : i + COUNT]) for i in range(0, 60, COUNT)]
    assert all(sorted(epoch) == list(range(COUNT)) for epoch in epochs)
    assert len(set(epochs)) == len(epochs)


def test_order_does_not_favour_positions(dataset):
    firsts = [
        int(pipeline.position_to_index(np.int64(10 * epoch), COUNT, 3))
        for epoch in range(400)
    ]
    counts = np.bincount(firsts, minlength=COUNT)
    # Expected 40 each; 5 standard deviations of the binomial law are 30.
    assert counts.min() > 10 and counts.max() < 70


def test_parallelism_does_not_change_the_batches(dataset, monkeypatch):
    drawn, extras = [], {"hue": 0.2, "max_class_share": 0.5}
    for calls, threads in ((1, 1), (8, 3), (tf.data.AUTOTUNE, 8)):
        monkeypatch.setattr(pipeline, "_PARALLEL_CALLS", calls)
        data = training_batches(dataset, **extras)
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        data = data.with_options(options).take(5)
        drawn.append(list(data.as_numpy_iterator()))
    for other in drawn[1:]:
        assert_equal(drawn[0], other)


def test_little_is_decoded_ahead(dataset, monkeypatch):
    decoded = tf.Variable(0)
    decode_label = decoding.decode_label

    def counting(encoded):
        decoded.assign_add(1)
        return decode_label(encoded)

    monkeypatch.setattr(decoding, "decode_label", counting)
    iterator = iter(training_batches(dataset, batch_size=2))
    next(iterator)
    before, now = 0, 1
    while before != now:
        time.sleep(0.3)
        before, now = now, int(decoded)
    # One batch taken, two waiting, one being put together, one crop a parallel
    # call, and what TensorFlow adds of its own: the stream is endless, so that
    # a buffer without a bound would hold hundreds by now.
    assert 2 <= now <= 64


@pytest.fixture(scope="module")
def first(data_dir):
    return batches(pipeline.load_dataset(data_dir, "train"), 8)


def test_start_step_continues_the_run(dataset, first):
    assert_equal(first[5:], batches(dataset, 3, start_step=5))


def test_seeds_change_order_and_crops(dataset, first):
    first, other = first[:3], batches(dataset, 3, seed=6)
    assert seen(first) != seen(other)
    assert not np.array_equal(first[0][1], other[0][1])


def test_an_image_is_augmented_anew_each_epoch(dataset):
    drawn = batches(dataset, 20, batch_size=1)
    order = seen(drawn)
    again = order.index(order[0], COUNT)
    assert not np.array_equal(drawn[0][1], drawn[again][1])


@pytest.mark.parametrize("kind", KINDS)
def test_crop_of_a_decoded_part_is_that_of_the_whole(tmp_path, kind):
    rng = np.random.default_rng(1)
    image = random_image(rng, 90, 120)
    label = random_label(rng, 90, 120)
    dataset = write_one(tmp_path, image, label, kind)
    image = decode(encode(image, kind))
    drawn = batches(dataset, 4, batch_size=1)
    for counter, (crop, taken) in enumerate(drawn):
        geometry = augment.sample_geometry(
            label.shape, (32, 32), np.int64([5, counter])
        )
        expected = augment.warp_image(image, (0, 0), geometry, (32, 32))
        np.testing.assert_allclose(crop[0], expected, atol=0.02)
        expected = augment.warp_label(label, geometry, (32, 32))
        np.testing.assert_array_equal(taken[0], expected)


def test_records_of_tf_deeplab_need_only_names(tmp_path, data_dir):
    for path in data_dir.glob("*.tfrecord"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "dataset.json").write_text(
        '{"name": "theirs", "class_names": ["a", "b"], "ignore_label": 11}'
    )
    assert len(pipeline.load_dataset(tmp_path, "train")) == COUNT


def test_missing_description_split_or_directory_is_named(tmp_path, data_dir):
    with pytest.raises(UserError, match="nowhere: no such directory"):
        pipeline.load_dataset(tmp_path / "nowhere", "train")
    with pytest.raises(UserError, match="split 'val'; there: train"):
        pipeline.load_dataset(data_dir, "val")
    (tmp_path / "train-00000-of-00001.tfrecord").touch()
    with pytest.raises(UserError, match="dataset.json: not found"):
        pipeline.load_dataset(tmp_path, "train")
    DatasetInfo("none", ("a",)).save(tmp_path)
    with pytest.raises(UserError, match="split 'train' is empty"):
        pipeline.load_dataset(tmp_path, "train")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"start_step": -1}, "start_step"),
    ],
)
def test_numbers_out_of_range_are_named(dataset, options, named):
    with pytest.raises(UserError, match=named):
        training_batches(dataset, **options)


def test_count_must_be_the_described_one(tmp_path, data_dir):
    path = data_dir / "train-00000-of-00003.tfrecord"
    (tmp_path / "train-00000-of-00001.tfrecord").write_bytes(path.read_bytes())
    INFO.save(tmp_path)
    with pytest.raises(UserError, match="3 records .* dataset.json says 10"):
        pipeline.load_dataset(tmp_path, "train")

import os
import pathlib
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from image_files import decode, encode

from deepgbass.data.cityscapes_ids import CITYSCAPES
from deepgbass.data.conversion import convert
from deepgbass.data.pipeline import load_dataset
from deepgbass.data.tfds import open_tfds
from deepgbass.errors import UserError


def make(data_dir, name, features, examples, config=None):
    """Prepares a tiny set of TFDS; `examples` are the dicts by split."""
    tfds = pytest.importorskip("tensorflow_datasets")
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        config=config,
        features=tfds.features.FeaturesDict(features(tfds.features)),
        split_datasets={s: list(enumerate(x)) for s, x in examples.items()},
        data_dir=data_dir,
    )


def photo(seed):
    return np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)


def mask(seed, low, high):
    rng = np.random.default_rng(seed)
    return rng.integers(low, high, (6, 8, 1), np.uint8)


def every_id():
    """All label ids of Cityscapes, some twice."""
    return (np.arange(48, dtype=np.uint8) % 34).reshape(6, 8, 1)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A set that names its classes, two that are known, one of neither."""
    path = tmp_path_factory.mktemp("tensorflow datasets")
    make(
        path,
        "tiny_streets",
        lambda features: {
            "image": features.Image(),
            "truth": {"mask": features.LabeledImage(labels=list("abc"))},
            # Masks of single objects are no label.
            "objects": features.Sequence(
                {"mask": features.Image(shape=(None, None, 1))}
            ),
        },
        {
            split: [
                {
                    "image": photo(i),
                    "truth": {"mask": mask(i, 0, 3)},
                    "objects": {"mask": [mask(0, 0, 2)] * i},
                }
                for i in range(count)
            ]
            for split, count in (("train", 3), ("validation", 1))
        },
    )
    make(
        path,
        "cityscapes",
        lambda features: {
            "image_id": features.Text(),
            "image_left": features.Image(shape=(6, 8, 3)),
            "segmentation_label": features.Image(shape=(6, 8, 1)),
        },
        {
            split: [
                {
                    "image_id": "",
                    "image_left": photo(0),
                    "segmentation_label": every_id(),
                }
            ]
            for split in ("train", "test")
        },
        config="semantic_segmentation",
    )
    make(
        path,
        "oxford_iiit_pet",
        lambda features: {
            "image": features.Image(),
            "segmentation_mask": features.Image(shape=(None, None, 1)),
        },
        {"train": [{"image": photo(0), "segmentation_mask": mask(0, 1, 4)}]},
    )
    make(
        path,
        "two_images",
        lambda features: {
            "left": features.Image(),
            "right": features.Image(),
            "mask": features.Image(shape=(None, None, 1)),
        },
        {
            "train": [
                {"left": photo(0), "right": photo(1), "mask": mask(0, 1, 5)}
            ]
        },
    )
    return path


def message(*args, **options):
    with pytest.raises(UserError) as caught:
        open_tfds(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_records_are_read_as_tfds_reads_them(data_dir):
    tfds = pytest.importorskip("tensorflow_datasets")
    source = open_tfds("tiny_streets", data_dir)
    assert source.info.name == "tiny_streets"
    assert source.info.class_names == ("a", "b", "c")
    builder = tfds.builder_from_directory(data_dir / "tiny_streets/1.0.0")
    for split, count in (("train", 3), ("validation", 1)):
        theirs = tfds.as_numpy(builder.as_dataset(split=split))
        items = source.splits[split]
        assert len(items) == count == len({item.name for item in items})
        for item, example in zip(items, theirs, strict=True):
            ours = pickle.loads(pickle.dumps(item)).read()
            np.testing.assert_array_equal(decode(ours.image), example["image"])
            np.testing.assert_array_equal(
                decode(ours.label), example["truth"]["mask"][..., 0]
            )
            assert ours.filename == item.name


def test_other_kinds_of_images_become_png(tmp_path):
    gif = tmp_path / "cat.jpg"
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[:, 4:] = 255
    gif.write_bytes(encode(pixels, "GIF"))
    make(
        tmp_path,
        "oxford_iiit_pet",
        lambda features: {
            "image": features.Image(),
            "segmentation_mask": features.Image(shape=(None, None, 1)),
        },
        {"train": [{"image": str(gif), "segmentation_mask": mask(0, 1, 4)}]},
    )
    (item,) = open_tfds("oxford_iiit_pet", tmp_path).splits["train"]
    image = item.read().image
    assert image.startswith(b"\x89PNG")
    np.testing.assert_array_equal(decode(image), pixels)


def test_records_are_converted(data_dir, tmp_path):
    info = convert(open_tfds("cityscapes", data_dir), tmp_path / "out")
    assert info.splits == {"train": 1}
    (example,) = load_dataset(tmp_path / "out", "train").examples()
    np.testing.assert_array_equal(example["image"], photo(0))
    assert example["label"].ravel()[[7, 8, 26, 33]].tolist() == [0, 1, 13, 18]
    assert info.statistics["train"].ignored == 15 + 9


@pytest.mark.slow
def test_script_converts_what_tfds_has(data_dir, tmp_path):
    subprocess.run(
        [sys.executable, "datasets/convert_tfds.py"]
        + ["--source=tfds:oxford_iiit_pet", f"--tfds_dir={data_dir}"]
        + ["--class_names=pet,background", "--label_offset=1", "--ignore=3"]
        + [f"--data_dir={tmp_path / 'out'}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    (example,) = load_dataset(tmp_path / "out", "train").examples()
    expected = np.array([0, 0, 1, 255])[mask(0, 1, 4)[..., 0]]
    np.testing.assert_array_equal(example["label"], expected)


def test_items_are_small_and_name_their_file(data_dir):
    item = open_tfds("cityscapes", data_dir).splits["train"][0]
    assert len(pickle.dumps(item)) < 1000
    assert item.files[0].name == "cityscapes-train.tfrecord-00000-of-00001"


def test_cityscapes_gets_its_19_classes_and_no_test(data_dir):
    for name in ("cityscapes", "cityscapes/semantic_segmentation:1.0.0"):
        source = open_tfds(name, data_dir)
        assert source.info == CITYSCAPES
        assert set(source.splits) == {"train"}
        ids = every_id()[..., 0]
        label = decode(source.splits["train"][0].read().label)
        assert set(label[ids == 7]) == {0} and set(label[ids == 33]) == {18}
        assert set(label[ids < 7]) == {255}


def test_first_id_of_the_pets_is_one(data_dir):
    source = open_tfds("oxford_iiit_pet", data_dir)
    assert source.info.class_names == ("pet", "background", "border")
    label = decode(source.splits["train"][0].read().label)
    np.testing.assert_array_equal(label, mask(0, 1, 4)[..., 0] - 1)


def test_ids_can_be_shifted_and_ignored(data_dir):
    source = open_tfds(
        "oxford_iiit_pet",
        data_dir,
        class_names=("pet", "background"),
        label_offset=1,
        ignore=(3,),
    )
    label = decode(source.splits["train"][0].read().label)
    expected = np.array([0, 0, 1, 255])[mask(0, 1, 4)[..., 0]]
    np.testing.assert_array_equal(label, expected)
    assert source.info.class_names == ("pet", "background")


def test_features_are_chosen_by_key(data_dir):
    text = message("two_images", data_dir, class_names=list("abcd"))
    assert "two_images: needs image_key; its images are: " in text
    for known in ("left (None, None, 3)", "right", "mask (None, None, 1)"):
        assert known in text
    text = message("two_images", data_dir, image_key="up")
    assert "has no image 'up'; its images are: " in text
    source = open_tfds(
        "two_images",
        data_dir,
        image_key="right",
        class_names=list("abcd"),
        label_offset=1,
    )
    example = source.splits["train"][0].read()
    np.testing.assert_array_equal(decode(example.image), photo(1))


def test_classes_without_names_are_asked_for(data_dir):
    text = message("two_images", data_dir, image_key="left")
    assert "does not name the classes of mask; give class_names" in text


def test_unknown_ids_are_named(data_dir):
    source = open_tfds(
        "two_images", data_dir, image_key="left", class_names=list("abcd")
    )
    (item,) = source.splits["train"]
    with pytest.raises(UserError, match="train-000000: holds the ids 4, which"):
        item.read()


def test_what_is_not_prepared_is_not_fetched(data_dir, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")

    def forbidden(*args, **kwargs):
        raise AssertionError("asked TFDS to build")

    monkeypatch.setattr(tfds, "builder", forbidden)
    text = message("voc", data_dir)
    assert f"tfds:voc: is not prepared in {data_dir}" in text
    assert "`tfds build voc`" in text
    assert "is not prepared" in message("cityscapes:9.9.9", data_dir)


def test_download_happens_where_it_is_asked_for(data_dir, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")

    def unreachable(name, data_dir):
        raise ConnectionError(f"no way\nto {name}")

    monkeypatch.setattr(tfds, "builder", unreachable)
    text = message("tiny_streets", data_dir, download=True)
    assert (
        text == "tfds:tiny_streets: cannot be prepared: no way to tiny_streets"
    )


def test_default_folder_is_that_of_tfds(data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    assert len(open_tfds("tiny_streets").splits["train"]) == 3


def test_several_prepared_versions_are_listed(data_dir, tmp_path):
    for version in ("1.0.0", "2.0.0"):
        shutil.copytree(
            data_dir / "tiny_streets/1.0.0", tmp_path / "tiny_streets" / version
        )
    text = message("tiny_streets", tmp_path)
    assert text.endswith("give one of tiny_streets:1.0.0, tiny_streets:2.0.0")
    assert open_tfds("tiny_streets:1.0.0", tmp_path).info.num_classes == 3


def test_damaged_sets_are_named(data_dir, tmp_path):
    folder = tmp_path / "tiny_streets/1.0.0"
    shutil.copytree(data_dir / "tiny_streets/1.0.0", folder)
    items = open_tfds("tiny_streets", tmp_path).splits["train"]
    (path,) = folder.glob("*-train.tfrecord-*")
    content = bytearray(path.read_bytes())
    start = items[1].offset
    content[start : start + 50] = bytes(50)
    path.write_bytes(content)
    with pytest.raises(UserError, match="train-000001: .* damaged"):
        items[1].read()
    path.write_bytes(content[:-10])
    assert f"{path}: the record at byte" in message("tiny_streets", tmp_path)
    (folder / "features.json").write_text("{")
    assert f"{folder} cannot be read" in message("tiny_streets", tmp_path)


def test_missing_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    text = message("cityscapes", pathlib.Path("nowhere"))
    assert "pip install tensorflow-datasets" in text

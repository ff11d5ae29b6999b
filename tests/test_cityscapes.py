import json
import pickle
import shutil

import numpy as np
import pytest
from image_files import decode, encode, random_image
from PIL import Image

from deepgbass.data.cityscapes import draw_polygons, open_cityscapes
from deepgbass.data.cityscapes_ids import CITYSCAPES, FROM_LABEL_IDS, LABELS
from deepgbass.data.conversion import convert
from deepgbass.data.pipeline import load_dataset
from deepgbass.errors import UserError

FRAMES = {
    "train": ("aachen/aachen_000000_000019", "bochum/bochum_000000_000313"),
    "val": ("lindau/lindau_000000_000019",),
}
# The label ids of the 19 scored classes in the order of their train ids.
SCORED = (7, 8, *range(11, 14), 17, *range(19, 29), 31, 32, 33)


def write_frame(root, split, frame, **labels):
    """One image of 6x8 pixels and its label files by kind, as bytes."""
    rng = np.random.default_rng(0)
    image = root / "leftImg8bit" / split / f"{frame}_leftImg8bit.png"
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(encode(random_image(rng, 6, 8)))
    label = root / "gtFine" / split / f"{frame}_gtFine_"
    label.parent.mkdir(parents=True, exist_ok=True)
    for kind, content in labels.items():
        suffix = "json" if kind == "polygons" else "png"
        path = label.with_name(f"{label.name}{kind}.{suffix}")
        path.write_bytes(content)
    return image


def random_ids(seed=0):
    return np.random.default_rng(seed).integers(0, 34, (6, 8), np.uint8)


def annotation(*objects, width=8, height=6):
    """A polygons.json; an object is a label and its points."""
    things = [
        {"label": label, "polygon": points, **more}
        for label, points, more in (
            (*o, {}) if len(o) == 2 else o for o in objects
        )
    ]
    content = {"imgWidth": width, "imgHeight": height, "objects": things}
    return json.dumps(content).encode()


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "my cityscapes"
    seed = 0
    for split, frames in FRAMES.items():
        for frame in frames:
            write_frame(path, split, frame, labelIds=encode(random_ids(seed)))
            seed += 1
    return path


def message(path):
    with pytest.raises(UserError) as caught:
        open_cityscapes(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def read_message(path):
    (item,) = open_cityscapes(path).splits["train"]
    with pytest.raises(UserError) as caught:
        item.read()
    return str(caught.value)


def test_label_ids_become_the_19_classes(root):
    source = open_cityscapes(root)
    assert source.info == CITYSCAPES
    items = [item for s in ("train", "val") for item in source.splits[s]]
    assert [item.name for item in items] == [
        "aachen_000000_000019",
        "bochum_000000_000313",
        "lindau_000000_000019",
    ]
    for seed, item in enumerate(items):
        example = pickle.loads(pickle.dumps(item)).read()
        expected = np.full((6, 8), 255)
        for new, old in enumerate(SCORED):
            expected[random_ids(seed) == old] = new
        np.testing.assert_array_equal(decode(example.label), expected)
        assert example.image == item.files[0].read_bytes()
        assert example.filename == item.name


def test_both_splits_are_converted(root, tmp_path):
    info = convert(open_cityscapes(root), tmp_path / "out")
    assert info.splits == {"train": 2, "val": 1}
    (example,) = load_dataset(tmp_path / "out", "val").examples()
    np.testing.assert_array_equal(example["label"] == 0, random_ids(2) == 7)
    np.testing.assert_array_equal(
        example["label"] == 255, ~np.isin(random_ids(2), SCORED)
    )


def test_every_label_id_is_mapped(tmp_path):
    ids = np.arange(34, dtype=np.uint8).reshape(2, 17)
    write_frame(tmp_path, "train", "a/a_0_0", labelIds=encode(ids))
    (item,) = open_cityscapes(tmp_path).splits["train"]
    label = decode(item.read().label).ravel()
    assert label[list(SCORED)].tolist() == list(range(19))
    assert np.count_nonzero(label == 255) == 34 - 19


def test_train_ids_are_taken_as_they_are(tmp_path):
    ids = np.array([[*range(19), 255]], np.uint8)
    write_frame(tmp_path, "train", "a/a_0_0", labelTrainIds=encode(ids))
    (item,) = open_cityscapes(tmp_path).splits["train"]
    np.testing.assert_array_equal(decode(item.read().label), ids)


def test_label_ids_come_before_train_ids_and_polygons(tmp_path):
    road, sky = (np.full((6, 8), i, np.uint8) for i in (7, 10))
    whole = [[0, 0], [7, 0], [7, 5], [0, 5]]
    kinds = {
        "polygons": (annotation(("car", whole)), 13),
        "labelTrainIds": (encode(sky), 10),
        "labelIds": (encode(road), 0),
    }
    for kind, (content, expected) in kinds.items():
        write_frame(tmp_path, "train", "a/a_0_0", **{kind: content})
        (item,) = open_cityscapes(tmp_path).splits["train"]
        assert np.unique(decode(item.read().label)) == [expected]


def test_polygons_are_drawn_in_their_order():
    def box(x0, y0, x1, y1):
        return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]

    encoded = annotation(
        ("road", box(0, 3, 7, 5)),
        ("cargroup", box(1, 2, 3, 4)),
        ("polegroup", box(6, 0, 6, 2)),
        ("sky", box(0, 0, 7, 5), {"deleted": 1}),
        ("license plate", box(2, 3, 2, 3)),
        ("out of roi", box(0, 5, 7, 5)),
    )
    expected = np.zeros((6, 8), int)
    expected[3:6, :] = 7
    expected[2:5, 1:4] = 26
    expected[0:3, 6] = 18
    expected[5, :] = 3
    np.testing.assert_array_equal(draw_polygons(encoded, (8, 6), ""), expected)


def test_ids_are_those_of_cityscapesscripts():
    module = pytest.importorskip("cityscapesscripts.helpers.labels")
    theirs = {x.name: x for x in module.labels}
    assert {x.name for x in LABELS} == set(theirs)
    for label in LABELS:
        official = theirs[label.name]
        assert label.id == official.id
        if label.train_id is None:
            assert official.trainId in (255, -1) and official.ignoreInEval
        else:
            assert label.train_id == official.trainId
            assert label.color == official.color


def test_polygons_are_drawn_as_by_cityscapesscripts():
    module = pytest.importorskip("cityscapesscripts.preparation.json2labelImg")
    rng = np.random.default_rng(0)
    names = [label.name for label in LABELS] + ["cargroup", "persongroup"]
    objects = []
    for name in names:
        count = int(rng.integers(3, 9))
        # Points of official annotations also lie beyond the frame.
        points = rng.integers(-10, 110, (count, 2)).tolist()
        objects.append((name, points, {"deleted": int(rng.random() < 0.2)}))
    encoded = annotation(*objects, width=100, height=80)
    theirs = module.Annotation()
    theirs.fromJsonText(encoded.decode())
    np.testing.assert_array_equal(
        draw_polygons(encoded, (100, 80), ""),
        np.asarray(module.createLabelImage(theirs, "ids")),
    )


def test_classes_are_in_the_order_of_train_ids():
    train_ids = [x.train_id for x in LABELS if x.train_id is not None]
    assert train_ids == list(range(19))
    assert CITYSCAPES.class_names[13] == "car"
    assert sorted(FROM_LABEL_IDS) == list(range(34))


def test_splits_without_public_labels_are_left_out(root):
    write_frame(root, "test", "bonn/bonn_0_0", labelIds=encode(random_ids()))
    assert set(open_cityscapes(root).splits) == {"train", "val"}


def test_only_test_is_refused(tmp_path):
    write_frame(tmp_path, "test", "b/b_0_0", labelIds=encode(random_ids()))
    assert "neither train/ nor val/" in message(tmp_path)


def test_image_without_label_is_named(root):
    image = write_frame(root, "val", "ulm/ulm_000001_000019")
    text = message(root)
    assert f"1 of 2 are bad: {image} has no label" in text
    assert "ulm_000001_000019_gtFine_labelIds.png" in text


def test_label_without_image_is_named(root):
    frame = "aachen/aachen_000009_000019"
    write_frame(root, "train", frame, labelIds=encode(random_ids())).unlink()
    text = message(root)
    assert f"{frame}_gtFine_labelIds.png has no image" in text


def test_colour_pictures_are_refused(tmp_path):
    color = encode(np.zeros((6, 8, 4), np.uint8))
    write_frame(tmp_path, "train", "a/a_0_0", color=color)
    assert "a_0_0_gtFine_color.png is a picture for people" in message(tmp_path)


def test_colours_under_the_name_of_ids_are_refused(tmp_path):
    color = encode(np.zeros((6, 8, 3), np.uint8))
    write_frame(tmp_path, "train", "a/a_0_0", labelIds=color)
    text = read_message(tmp_path)
    assert "a_0_0_gtFine_labelIds.png: holds colours, not one channel" in text


@pytest.mark.parametrize(
    "kind, ids, hint",
    [("labelIds", [7, 255, 40], "labelTrainIds"), ("labelTrainIds", [20], "")],
)
def test_unknown_ids_are_named(tmp_path, kind, ids, hint):
    content = {kind: encode(np.array([ids], np.uint8))}
    write_frame(tmp_path, "train", "a/a_0_0", **content)
    text = read_message(tmp_path)
    strange = [i for i in sorted(ids) if i != 7]
    assert f"_{kind}.png: holds the ids {', '.join(map(str, strange))}," in text
    assert hint in text


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"{", "is no annotation of Cityscapes"),
        (b"[]", "is no annotation of Cityscapes"),
        (annotation(("road", [[1, 1]])), "is no annotation of Cityscapes"),
        (annotation(("unicorn", [[0, 0], [1, 1]])), "has the label 'unicorn'"),
        (annotation(width=9), "is for 9x6 pixels, the image has 8x6"),
    ],
)
def test_bad_polygons_are_named(tmp_path, content, expected):
    write_frame(tmp_path, "train", "a/a_0_0", polygons=content)
    text = read_message(tmp_path)
    assert f"a_0_0_gtFine_polygons.json: {expected}" in text


def test_damaged_and_missing_labels_are_named(tmp_path):
    ids = encode(random_ids())
    write_frame(tmp_path, "train", "a/a_0_0", labelIds=ids[:-30])
    assert "_labelIds.png: cannot be decoded" in read_message(tmp_path)
    (item,) = open_cityscapes(tmp_path).splits["train"]
    item.files[1].unlink()
    with pytest.raises(UserError, match="_labelIds.png: cannot be read: No"):
        item.read()


def test_sixteen_bits_are_refused(tmp_path):
    deep = encode(Image.fromarray(np.full((6, 8), 7, np.uint16)))
    write_frame(tmp_path, "train", "a/a_0_0", labelIds=deep)
    assert "has 16 bits a pixel, not 8" in read_message(tmp_path)


def test_wrong_folders_are_put_right(root, tmp_path):
    for name in ("leftImg8bit", "gtFine"):
        assert f"is {name}/ itself" in message(root / name)
        assert message(root / name).endswith(str(root))
    assert message(tmp_path).endswith(f"is one folder too high; give {root}")
    assert "no such directory" in message(tmp_path / "nothing")
    empty = tmp_path / "empty"
    (empty / "gtCoarse").mkdir(parents=True)
    text = message(empty)
    assert f"{empty}: has no leftImg8bit/ (gtCoarse/ is not used)" in text


def test_archives_unpacked_into_two_folders_are_noticed(root):
    (root / "gtFine_trainvaltest").mkdir()
    (root / "gtFine").rename(root / "gtFine_trainvaltest" / "gtFine")
    assert f"gtFine/ is in {root / 'gtFine_trainvaltest'}" in message(root)


def test_split_without_labels_and_empty_folders_are_named(root):
    labels = root / "gtFine" / "val"
    shutil.rmtree(labels)
    assert f"{labels}: no such directory" in message(root)
    shutil.rmtree(root / "leftImg8bit" / "val")
    assert set(open_cityscapes(root).splits) == {"train"}
    for folder in ("leftImg8bit", "gtFine"):
        shutil.rmtree(root / folder / "train")
        (root / folder / "train").mkdir()
    assert "holds no frames" in message(root)

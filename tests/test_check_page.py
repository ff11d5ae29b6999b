"""The page and the JSON of a check."""

import html.parser
import json

import numpy as np
import pytest
from image_files import encode, random_image

from deepgbass.data import tfrecord
from deepgbass.data.audit import audit_dataset
from deepgbass.data.check_json import to_json
from deepgbass.data.check_page import choose_samples, write_page
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.data.record import Example

INFO = DatasetInfo("my <set>", ("road", "car", "never"), ignore_label=11)
VOID = {"meta", "img", "input"}


class Page(html.parser.HTMLParser):
    """Checks that tags nest; collects links, headings and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.headings, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.links += [v for k, v in attrs if k in ("src", "href", "srcset")]
        assert tag not in ("script", "link", "iframe")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "h3":
            self.headings.append(data)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Ten training images: 3 is half ignored, 5 has a car, 7 is bad."""
    path = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    splits = {"train": [], "val": []}
    for i in range(12):
        label = np.zeros((24, 36), np.uint8)
        if i == 3:
            label[:12] = 11
        if i in (5, 11):
            label[4:8, 9:12] = 1
        if i == 7:
            label[0] = 200
        image = encode(random_image(rng, 24, 36), "JPEG")
        pair = Example(f"img{i}", image, encode(label))
        splits["train" if i < 10 else "val"].append(pair)
    for split, examples in splits.items():
        tfrecord.write_split(examples, path, split, 2)
    INFO.save(path)
    return audit_dataset(path)


@pytest.fixture(scope="module")
def page(result, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "check.html"
    write_page(path, result, samples=3, seed=0)
    return Page(path.read_text(encoding="utf-8"))


def test_page_is_self_contained(page):
    pictures = [link for link in page.links if link.startswith("data:image/")]
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert len(pictures) == 3 * sum("% ignored" in h for h in page.headings)


def test_page_shows_the_worst_and_some_of_every_split(page):
    heads = [text for text in page.headings if "% ignored" in text]
    assert any(
        "train, most ignored: img3" in h and "50.0 %" in h for h in heads
    )
    assert any("train, most of the rare class car: img5" in h for h in heads)
    for split, least in (("train", 3), ("val", 2)):
        lots = [h for h in heads if h.startswith(split) and "by lot" in h]
        assert len(lots) == least
    assert not any("img7" in h for h in heads)


def test_page_names_problems_classes_and_sizes(page):
    for text in (
        "my <set>: check of the data",
        "Error: train: labels hold ids outside of the classes (1)",
        "img7 (train-00001-of-00002.tfrecord",
        "label ids 200 are neither",
        "Warning: classes are in no image of any split (1)",
        "To mend it: ",
        "24x36",
        *INFO.class_names,
    ):
        assert text in page.text


def test_samples_follow_the_seed(result):
    split = result.splits["train"]

    def names(seed, count=3):
        chosen = choose_samples(split, INFO.class_names, count, seed)
        return [entry.name for entry in chosen]

    assert names(0) == names(0)
    assert len({tuple(names(seed)) for seed in range(8)}) > 3
    assert set(names(0, 100)) == {f"img{i}" for i in range(10) if i != 7}
    assert names(0, 0) == ["img3", "img5", "img0"]


def test_json_says_everything(result):
    values = json.loads(to_json(result))
    assert values["version"] == 1 and values["passed"] is False
    assert (values["errors"], values["warnings"]) == (1, 2)
    error, warning, hidden = values["problems"]
    assert (hidden["kind"], hidden["severity"]) == ("hidden", "warning")
    assert (error["kind"], error["split"]) == ("ids", "train")
    assert error["findings"][0]["place"].startswith("img7 (")
    assert (warning["kind"], warning["split"]) == ("unseen", None)
    train = values["splits"]["train"]
    assert (train["images"], train["bad"]) == (9, 1)
    assert train["sizes"] == [{"height": 24, "width": 36, "images": 9}]
    assert train["ignored_share"] == pytest.approx(0.5 / 9)
    assert train["most_ignored"][0]["share"] == 0.5
    road, car, never = train["classes"]
    assert (car["name"], car["pixels"], car["images"]) == ("car", 12, 1)
    assert road["share"] + car["share"] == pytest.approx(1)
    # 4x3 pixels have 10 on their boundary; so many lie around, but for the
    # corners, and a row of road faces the ignored half of img3.
    assert (car["boundary"], road["boundary"]) == (10, 14 + 36)
    assert (car["hidden_boundary"], road["hidden_boundary"]) == (0, 36)
    assert never["images"] == 0


def test_large_images_are_reduced_and_kept_in_line(tmp_path):
    label = np.zeros((60, 2100), np.uint8)
    label[:, 1050:] = 1
    image = np.where(label[..., None] == 1, 255, 0).astype(np.uint8)
    image = image.repeat(3, axis=-1)
    pair = Example("wide", encode(image), encode(label))
    tfrecord.write_split([pair], tmp_path, "train", 1)
    INFO.save(tmp_path)
    write_page(tmp_path / "c.html", audit_dataset(tmp_path), samples=1, seed=0)
    text = (tmp_path / "c.html").read_text()
    assert text.count("data:image/png") == 3 and len(text) < 100_000

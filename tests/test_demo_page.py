"""The page in a real browser: what a visitor does, and what then is seen."""

import json
import re
import threading
import time

import numpy as np
import pytest
from browser import open_browser
from edgetpu_stand_in import description, write_model
from PIL import Image

from deepgbass.demo.facts import page_facts
from deepgbass.demo.segmenting import Demo
from deepgbass.demo.server import DemoServer
from deepgbass.export.description import parse
from deepgbass.ondevice.predictor import open_predictor

SHOWN = "!document.querySelector('#result').hidden"
FAILED = "!document.querySelector('#error').hidden"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(autouse=True)
def fresh(tab):
    tab.complaints.clear()


@pytest.fixture
def serve(tmp_path):
    """Starts a server of one or two toy models, whose classes are R, G, B."""
    servers = []

    def serve(count=1, change=None):
        paths = [tmp_path / f"model_{i}.tflite" for i in range(count)]
        for path in paths:
            write_model(path)
        models = [open_predictor(path).model for path in paths]
        if change:
            change(models[-1])
        facts = page_facts(models, "runtime 1")
        server = DemoServer(0, facts, Demo(models).segment)
        threading.Thread(target=server.serve_forever, args=[0.02]).start()
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def photo(tmp_path):
    """Left half red, road; right half blue, sky."""
    pixels = np.zeros((80, 120, 3), np.uint8)
    pixels[:, :60, 0] = pixels[:, 60:, 2] = 200
    Image.fromarray(pixels).save(tmp_path / "street <b>.png")
    return tmp_path / "street <b>.png"


def visit(tab, server, width=1200):
    tab.open(server.url, width)
    tab.until("demo !== null")


def text(tab, selector):
    return tab.value(f"document.querySelector('{selector}').innerText")


def colors(tab, y):
    """RGBA of the pixels in a row of the first result."""
    flat = tab.value(
        "{ const { canvas } = panels[0];"
        "const copy = new OffscreenCanvas(canvas.width, canvas.height);"
        "const context = copy.getContext('2d', { willReadFrequently: true });"
        "context.drawImage(canvas, 0, 0);"
        f"[...context.getImageData(0, {y}, canvas.width, 1).data] }}"
    )
    return np.reshape(flat, (-1, 4))


def look(tab, view):
    tab.value(f"document.querySelector('[value={view}]').click()")


def test_an_image_is_segmented_and_explored(tab, serve, photo):
    visit(tab, serve())
    for word in ("0 road", "runtime 1", "12 x 8 pixels"):
        assert word in text(tab, "#models")
    tab.choose("#file", photo)
    tab.until(SHOWN)
    assert "street <b>.png, 120 x 80 pixels" in text(tab, "#status")
    assert re.search(r"road 5\d\.\d %", text(tab, ".chips"))
    for word in ("pre-processing", "inference", "post-processing", "total"):
        assert word in text(tab, "#times")
    # One colour a class, through which the image is seen.
    row = colors(tab, 40)
    assert len(np.unique(row, axis=0)) == 2
    assert (row[:, 3] == row[0, 3]).all() and 0 < row[0, 3] < 255
    look(tab, "Boundaries")
    is_line = (colors(tab, 40) == 255).all(axis=1)
    assert set(np.flatnonzero(is_line)) == {59, 60}
    look(tab, "Classes")
    assert (colors(tab, 40)[:, 3] == 255).all()
    tab.value("$('cut').value = 20; $('cut').dispatchEvent(new Event('input'))")
    assert tab.value("getComputedStyle(panels[0].canvas).clipPath") == (
        "inset(0px 0px 0px 20%)"
    )
    assert tab.complaints == []


def test_a_pixel_is_named_by_mouse_and_by_keys(tab, serve, photo):
    visit(tab, serve())
    tab.choose("#file", photo)
    tab.until(SHOWN)
    tab.value("document.querySelector('.stage').scrollIntoView()")
    box = json.loads(
        tab.value(
            "JSON.stringify(document.querySelector('.stage')"
            ".getBoundingClientRect())"
        )
    )
    for share, name in ((0.1, "road"), (0.9, "sky")):
        tab.point(box["x"] + share * box["width"], box["y"] + 20)
        assert text(tab, ".found").startswith(f"{name} at column")
    tab.value("document.querySelector('.stage').focus()")
    before = tab.value("panels[0].at")
    tab.press("ArrowLeft")
    tab.press("ArrowDown")
    x, y = before
    assert tab.value("panels[0].at") == [x - 2, y + 2]
    for _ in range(70):
        tab.press("ArrowLeft")
    assert text(tab, ".found").startswith("road at column 0,")
    assert tab.complaints == []


def test_the_labels_can_be_downloaded(tab, serve, photo, tmp_path):
    visit(tab, serve())
    tab.choose("#file", photo)
    tab.until(SHOWN)
    folder = tmp_path / "downloads"
    tab("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    tab.value("document.querySelector('a[download]').click()")
    ends = time.monotonic() + 30
    while not (files := list(folder.glob("*_model_0_tflite_labels.png"))):
        assert time.monotonic() < ends
        time.sleep(0.05)
    labels = np.asarray(Image.open(files[0]))
    assert labels.shape == (80, 120)
    assert (labels[40, 5], labels[40, 115]) == (0, 2)


def test_two_models_are_compared(tab, serve, photo):
    visit(tab, serve(2))
    tab.choose("#file", photo)
    tab.until(SHOWN)
    assert tab.value("document.querySelectorAll('canvas').length") == 2
    assert "agree in 100.00 % of the pixels" in text(tab, "#agreement")
    assert "ratio" in text(tab, "#times")
    look(tab, "Differences")
    assert len(np.unique(colors(tab, 40), axis=0)) == 1
    assert tab.complaints == []


def test_models_of_other_classes_are_shown_but_not_compared(tab, serve, photo):
    def rename(model):
        values = description()
        values["dataset"]["class_names"] = ["lane", "car", "air"]
        model.description = parse(values)

    visit(tab, serve(2, rename))
    tab.choose("#file", photo)
    tab.until(SHOWN)
    assert "different classes" in text(tab, "#agreement")
    assert "Differences" not in text(tab, "#views")
    tab.value("locate(5, 40)")
    found = tab.value("panels.map((panel) => panel.found.textContent)")
    assert [one.split()[0] for one in found] == ["road", "lane"]


def test_a_text_file_is_refused_in_a_sentence(tab, serve, photo, tmp_path):
    visit(tab, serve())
    (tmp_path / "notes.txt").write_text("no image")
    tab.choose("#file", tmp_path / "notes.txt")
    tab.until(FAILED)
    assert "not an image that can be read here" in text(tab, "#error")
    assert text(tab, "#status") == ""
    # The next one is welcome, and the error gone.
    tab.choose("#file", photo)
    tab.until(SHOWN)
    assert not tab.value(FAILED)
    # Browsers log every refusal; there is nothing else.
    assert all("415" in str(entry) for entry in tab.complaints)


def test_a_file_too_large_is_not_even_sent(tab, serve):
    visit(tab, serve())
    tab.value("void segment(new File([new Uint8Array(25e6 + 1)], 'big.png'))")
    tab.until(FAILED)
    assert "big.png has 25.0 MB; at most 25 MB" in text(tab, "#error")
    assert tab.complaints == []


@pytest.mark.parametrize(
    ("kind", "event", "field"),
    [
        ("drop", "DragEvent", "dataTransfer"),
        ("paste", "ClipboardEvent", "clipboardData"),
    ],
)
def test_an_image_can_be_dropped_or_pasted(
    tab, serve, photo, kind, event, field
):
    visit(tab, serve())
    content = list(photo.read_bytes())
    tab.value(
        "{ const data = new DataTransfer();"
        f"data.items.add(new File([new Uint8Array({content})], 'x.png'));"
        f"document.dispatchEvent(new {event}('{kind}', {{{field}: data}})); }}"
    )
    tab.until(SHOWN)
    assert text(tab, "#status").startswith("x.png, 120 x 80")
    assert tab.complaints == []


def test_text_that_is_pasted_is_left_alone(tab, serve):
    visit(tab, serve())
    tab.value(
        "document.dispatchEvent(new ClipboardEvent('paste',"
        " {clipboardData: new DataTransfer()}))"
    )
    assert not tab.value(FAILED) and tab.complaints == []


def test_a_server_that_has_ended_is_missed(tab, serve, photo):
    server = serve()
    visit(tab, server)

    def hang_up(content):
        raise ConnectionError

    # Browsers open connections ahead; one of them may outlive the server.
    server.segment = hang_up
    server.shutdown()
    server.server_close()
    tab.choose("#file", photo)
    tab.until(FAILED)
    assert "does not answer" in text(tab, "#error")


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("count", [1, 2])
def test_the_page_fits_the_window(tab, serve, photo, width, count):
    visit(tab, serve(count), width)
    tab.choose("#file", photo)
    tab.until(SHOWN)
    assert tab.value("document.documentElement.scrollWidth") <= width
    sides = tab.value(
        "[...document.querySelectorAll('.stage')]"
        ".map((stage) => stage.getBoundingClientRect().x)"
    )
    # Side by side where there is room, otherwise one below the other.
    assert len(set(sides)) == (count if width == 1600 else 1)


def test_all_controls_have_names_and_a_place_in_the_order(tab, serve, photo):
    visit(tab, serve())
    tab.choose("#file", photo)
    tab.until(SHOWN)
    nodes = tab("Accessibility.getFullAXTree")["nodes"]
    roles = {}
    for node in nodes:
        name = node.get("name", {}).get("value", "")
        roles.setdefault(node.get("role", {}).get("value"), []).append(name)
    for role in ("button", "radio", "slider", "application", "link"):
        assert roles.get(role) and all(roles[role]), (role, roles.get(role))
    tab.value("document.activeElement.blur()")
    order = []
    for _ in range(8):
        tab.press("Tab")
        order.append(tab.value("document.activeElement.id"))
    assert order[:2] == ["file", "again"]

import base64
import html.parser
import io
import json
import math
import re

import numpy as np
import pytest
from PIL import Image

from deepgbass.reports.report import Progress, write_report
from deepgbass.reports.report_pictures import Panel
from deepgbass.reports.report_table import Table

VOID = {"meta", "img", "input", "br", "hr", "link"}
EVIL = '<script>alert("1")</script>'


class Page(html.parser.HTMLParser):
    """Checks that tags nest, and collects what the tests ask for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs, closed=False):
        self.tags.append(tag)
        self.links += [
            value
            for name, value in attrs
            if name in ("src", "href", "xlink:href", "srcset", "action")
        ]
        if tag not in VOID and not closed:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs, closed=True)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)

    @property
    def shown(self):
        return " ".join(self.text)


def write(path, **kwargs):
    write_report(path, **{"title": "A run", **kwargs})
    return path.read_text(encoding="utf-8")


def full(name="baseline", value=0.5):
    picture = np.zeros((6, 8, 3), np.uint8)
    return {
        "title": name,
        "summary": name,
        "highlights": {name: value},
        "tables": [
            Table(
                name,
                [{name: name, "mIoU": value}],
                colors=[(1, 2, 3)],
                best=("mIoU",),
                bars=("mIoU",),
                note=name,
            )
        ],
        "curves": {name: {name: [(0, 1.0), (1, value)], "other": [(0, 2.0)]}},
        "panels": [Panel(name, {name: picture})],
        "legends": {name: {name: (4, 5, 6)}},
        "config": {name: name, "parsed": {name: value}},
    }


def test_report_is_well_formed_and_holds_everything(tmp_path):
    page = Page(write(tmp_path / "r.html", **full("DGD-64")))
    assert page.shown.count("DGD-64") >= 10
    for tag in ("h1", "table", "svg", "img", "details"):
        assert tag in page.tags
    for section in ("Results", "Curves", "Pictures", "Configuration"):
        assert section in page.shown
        assert f"#{section.lower()}" in page.links


def test_report_loads_nothing_from_elsewhere(tmp_path):
    text = write(tmp_path / "r.html", **full())
    page = Page(text)
    assert page.links
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert "script" not in page.tags and "link" not in page.tags
    assert "url(http" not in text and "@import" not in text
    assert "default-src 'none'" in text


def test_a_report_under_way_says_so_and_loads_itself_anew(tmp_path):
    progress = Progress(1200, 3000, EVIL, refresh=45)
    text = write(tmp_path / "r.html", progress=progress)
    page = Page(text)
    assert "step 1,200 of 3,000 · " in page.shown
    assert "updated at " in page.shown and EVIL in page.shown
    assert "<script" not in text
    assert '<meta http-equiv="refresh" content="45">' in text
    assert '<progress value="1200" max="3000">' in text


def test_a_finished_report_does_not_load_itself_anew(tmp_path):
    path = tmp_path / "r.html"
    write(path, progress=Progress(1, 2))
    text = write(path)
    assert 'http-equiv="refresh' not in text and "<progress" not in text


def test_every_string_is_escaped(tmp_path):
    text = write(tmp_path / "r.html", **full(EVIL))
    assert "<script" not in text
    # Title twice, summary, tile, table x4, curve x3, panel x4, legend x2, ...
    assert text.count("&lt;script&gt;") >= 15
    Page(text)


def test_quotes_cannot_leave_an_attribute(tmp_path):
    text = write(tmp_path / "r.html", **full('" onload="x'))
    assert '" onload="' not in text


def test_braces_are_text(tmp_path):
    assert "{title}" in write(tmp_path / "r.html", title="{title}")


@pytest.mark.parametrize(
    "curves", [None, {}, {"loss": {}}, {"loss": {"a": []}}]
)
def test_a_report_without_content_has_no_empty_section(tmp_path, curves):
    page = Page(write(tmp_path / "r.html", curves=curves, tables=[]))
    assert "section" not in page.tags and "svg" not in page.tags


def test_nan_metrics_are_dashes_and_nan_curves_say_so(tmp_path):
    nan = math.nan
    kwargs = full(value=nan) | {"config": {}}
    kwargs["tables"] = [
        Table("t", [{"a": nan, "b": None}, {"a": np.float32(nan)}], best=("a",))
    ]
    kwargs["curves"] = {"loss": {"x": [(0, nan), (1, math.inf)]}}
    page = Page(write(tmp_path / "r.html", **kwargs))
    assert page.text.count("–") >= 5
    assert "not finite and thus not drawn: 2." in page.shown
    assert "nan" not in page.shown


def cells(text):
    return re.findall(r"<t([dh])([^>]*)>([^<]*)</t[dh]>", text)


def test_numbers_are_formatted_and_strings_left_alone(tmp_path):
    row = {
        "name": "x",
        "share": np.float32(0.51234),
        "count": np.int64(1234567),
        "rate": 0.00001,
        "ready": True,
        "given": "51.2 ± 0.3",
    }
    text = write(tmp_path / "r.html", tables=[Table("t", [row])])
    shown = [content for _, _, content in cells(text)]
    assert shown[6:] == [
        "x",
        "0.512",
        "1,234,567",
        "1e-05",
        "yes",
        row["given"],
    ]


def test_the_best_of_a_column_is_marked(tmp_path):
    rows = [
        {"row": "a", "mIoU": 0.4, "mBF": "51.0 ± 0.2"},
        {"row": "b", "mIoU": 0.6, "mBF": "9.0 ± 0.1"},
        {"row": "c", "mIoU": math.nan},
    ]
    table = Table("t", rows, best=("mIoU", "mBF"))
    text = write(tmp_path / "r.html", tables=[table])
    best = [content for _, kind, content in cells(text) if "best" in kind]
    assert best == ["51.0 ± 0.2", "0.600"]


def test_rows_may_lack_columns(tmp_path):
    rows = [{"a": 1}, {"b": 2}]
    text = write(tmp_path / "r.html", tables=[Table("t", rows)])
    shown = [content for _, _, content in cells(text)]
    assert shown == ["a", "b", "1", "–", "–", "2"]


def test_bars_stay_in_their_cell(tmp_path):
    rows = [{"c": "x", "IoU": value} for value in (-1, 0.25, 3, math.nan)]
    text = write(tmp_path / "r.html", tables=[Table("t", rows, bars=("IoU",))])
    shares = re.findall(r"--share:([\d.]+)%", text)
    assert shares == ["0.0", "25.0", "100.0"]


def test_a_run_keeps_its_colour_in_all_plots(tmp_path):
    line = [(0, 1.0), (1, 2.0)]
    curves = {"loss": {"a": line, "b": line}, "mIoU": {"b": line}}
    text = write(tmp_path / "r.html", curves=curves)
    keys = re.findall(r'--c:var\(--(s\d)\)"></i>(\w)', text)
    assert keys == [("s0", "a"), ("s1", "b"), ("s1", "b")]
    second = text.split("<svg")[2]
    assert "var(--s1)" in second and "var(--s0)" not in second


def pictures(text):
    uris = re.findall(r'src="data:image/(\w+);base64,([^"]+)"', text)
    return [
        (kind, Image.open(io.BytesIO(base64.b64decode(data))))
        for kind, data in uris
    ]


def test_label_pictures_are_exact_and_small_ones_enlarged(tmp_path):
    picture = np.zeros((10, 100, 3), np.uint8)
    picture[:5] = 200, 30, 40
    panels = [Panel("p", {"truth": picture})]
    [(kind, shown)] = pictures(write(tmp_path / "r.html", panels=panels))
    assert kind == "png"
    np.testing.assert_array_equal(
        np.asarray(shown), picture.repeat(3, axis=0).repeat(3, axis=1)
    )


def test_large_photographs_are_reduced(tmp_path):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (40, 2048, 3)).astype(np.uint8)
    panels = [Panel("p", {"input": photo})]
    [(kind, shown)] = pictures(write(tmp_path / "r.html", panels=panels))
    assert kind == "jpeg" and shown.size == (1024, 20)


def test_configuration_is_folded_and_complete(tmp_path):
    config = {"model": {"decoder": "guided", "rates": [6, 12]}, "odd": {1.5}}
    text = write(tmp_path / "r.html", config={"run": config})
    page = Page(text)
    assert "<details open" not in text
    shown = next(part for part in page.text if "guided" in part)
    assert json.loads(shown)["model"] == config["model"]


def test_an_existing_report_survives_a_failing_write(tmp_path, monkeypatch):
    path = tmp_path / "r.html"
    before = write(path)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(path, title="another")
    assert path.read_text(encoding="utf-8") == before
    assert list(tmp_path.iterdir()) == [path]

import math
import xml.etree.ElementTree as ET

import numpy as np

from deepgbass.reports import plots


def test_averaged_keeps_short_lines_and_marks_gaps():
    steps, values = plots.averaged([(1, 2.0), (2, math.nan), (3, math.inf)])
    np.testing.assert_array_equal(steps, [1, 2, 3])
    np.testing.assert_array_equal(values, [2, np.nan, np.nan])


def test_averaged_takes_means_over_equal_spans():
    points = [(step, float(step % 2)) for step in range(1001)]
    steps, values = plots.averaged(points)
    assert len(steps) <= 200
    assert steps[0] == 2.5 and values[0] == 0.5
    assert steps[-1] == 998 and values[-1] == 0.4


def test_averaged_leaves_out_what_is_not_finite():
    points = [(step, 3.0) for step in range(1000)]
    points[7:9] = (7, math.nan), (8, math.inf)
    np.testing.assert_array_equal(plots.averaged(points)[1], 3)


def test_line_plot_is_well_formed_and_takes_the_colours_of_the_page():
    lines = {0: [(0, 1.0), (10, 0.5)], 9: [(0, 2.0)], 1: [(0, math.nan)]}
    svg = plots.line_plot(lines, salt="a")
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg") and "width" not in root.attrib
    assert "var(--s0)" in svg and "var(--s1)" in svg and "var(--ink)" in svg
    assert "#0102" not in svg and "<style" not in svg
    assert "DejaVu" not in svg


def test_line_plots_of_a_page_share_no_id():
    def ids(salt):
        root = ET.fromstring(plots.line_plot({0: [(0, 1.0)]}, salt))
        found = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
        assert found and len(found) == len(set(found))
        return set(found)

    assert not ids("loss") & ids("mIoU")


def test_colours_repeat_after_eight_lines():
    assert plots.line_color(1) == plots.line_color(9) == "var(--s1)"

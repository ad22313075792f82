"""Tables and drawings of notebooks, read back from their markup."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from robfair._notebook import HIGH, ROWS, WIDTH, dot_drawing, html_block, html_table, shares_drawing
from robfair._tables import Cell, Table


def parts(markup, name):
    return [e.attrib for e in ET.fromstring(markup).iter() if e.tag.rpartition("}")[2] == name]


def test_a_dot_stands_at_its_share_of_the_line():
    drawing = dot_drawing([1.0, 0.5, 1.5], end=2.0, mark=1.75)
    (dot,), lines = parts(drawing, "circle"), parts(drawing, "line")
    axis, mark, interval = ([float(line["x1"]), float(line["x2"])] for line in lines)
    left, right = axis
    assert float(dot["cx"]) == pytest.approx((left + right) / 2, abs=0.1)
    assert (np.array(interval) - left) / (right - left) == pytest.approx([0.25, 0.75], abs=0.01)
    assert (np.array(mark) - left) / (right - left) == pytest.approx([0.875] * 2, abs=0.01)
    assert 'aria-label="1, 0.5 to 1.5"' in drawing


def test_what_is_not_known_is_not_drawn():
    assert dot_drawing([np.nan, np.nan, np.nan], end=1.0) == ""
    assert dot_drawing([0.0, 0.0, 0.0], end=0.0) == ""
    without = dot_drawing([1.0, np.nan, np.nan], end=2.0)
    assert len(parts(without, "line")) == 1  # the axis: neither interval nor mark
    assert shares_drawing([np.nan], 1.0) == shares_drawing([1.0], np.nan) == ""


def test_a_curve_falls_as_the_values_are_passed():
    values = [1.0, 1.0, 3.0, np.inf, np.nan]
    (curve,) = parts(shares_drawing(values, 4.0), "polyline")
    corners = np.array([pair.split(",") for pair in curve["points"].split()], dtype=float)
    x = (corners[:, 0] - 2) / (WIDTH - 4) * 4.0
    share = (HIGH - 2 - corners[:, 1]) / (HIGH - 4)
    for at, expected in ((0.5, 1.0), (2.0, 0.5), (3.5, 0.25)):  # by hand
        assert share[np.abs(x - at).argmin()] == pytest.approx(expected, abs=0.01)
    (last,) = parts(shares_drawing([4.0], 4.0), "polyline")
    assert float(last["points"].split(",")[-1]) == HIGH - 2  # at the value itself none is greater


def test_a_block_holds_no_markup_but_its_own_and_asks_nothing_of_the_network():
    name = "<script>alert(1)</script>"
    table = Table((name, "n"), ((Cell(name, name), Cell("1", 1.0)),))
    drawing = dot_drawing([1.0, 0.0, 2.0], end=2.0)
    block = html_block([name, name], [name], html_table(table, name, [drawing]))
    assert "<script" not in block
    assert ET.fromstring(block).tag == "div"  # well-formed
    assert re.findall(r"https?://[^\"]*", block) == ["http://www.w3.org/2000/svg"]
    colours = set(re.findall(r'(?:stroke|fill|color)="([^"]*)"', block))
    assert colours == {"currentColor"}  # of the page, light or dark


def test_of_a_long_table_the_first_rows_are_shown():
    rows = tuple((Cell(f"r{i}", f"r{i}"),) for i in range(ROWS + 2))
    markup = html_table(Table(("row",), rows), drawings=["d"] * len(rows))
    assert (f"r{ROWS - 1}<" in markup, f"r{ROWS}<" in markup) == (True, False)
    assert f"{ROWS} of {ROWS + 2} rows" in markup
    assert "details" not in html_block(["a"], [])

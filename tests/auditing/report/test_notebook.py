"""Audits and comparisons as notebooks show them."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure

from robfair.exceptions import CensoredDistanceWarning

GROUPS = {"<near>": np.full(40, 1.0), "far": np.linspace(2.9, 3.1, 40)}


def dots(markup):
    places = {}
    for row in ET.fromstring(markup).iter("tr"):
        for element in row.iter():
            if element.tag.endswith("circle"):
                places["".join(row[0].itertext())] = float(element.attrib["cx"])
    return places


def test_an_audit_shows_its_verdict_and_a_dot_for_each_group(made):
    result = made(GROUPS)
    html = result._repr_html_()
    text = " ".join(ET.fromstring(html).itertext())
    assert all(sentence in text for sentence in result.verdict().split(". ")[:2])
    found = dots(html)
    # From the same left end, so that places are as far apart as Rob(P), 1 and 3.
    end = result.by_group["upper"].max()
    left, right = 4, 136
    for name, rob in (("<near>", 1.0), ("far", 3.0)):
        assert (found[name] - left) / (right - left) == pytest.approx(rob / end, abs=0.01)


def test_a_comparison_shows_a_dot_for_each_model(models):
    result = models(one=GROUPS, two={"<near>": np.full(40, 2.0), "far": np.full(40, 2.0)})
    found = dots(result._repr_html_())
    assert found["one"] == pytest.approx(found["two"], abs=0.5)  # Rob(f) is 2 of both
    assert result.verdict().split(". ")[0] in " ".join(
        ET.fromstring(result._repr_html_()).itertext()
    )


def test_the_figures_of_an_audit(made):
    result = made(GROUPS)
    ax = result.plot(ax=Figure().subplots())
    drawn = [x for line in ax.lines if line.get_marker() in "ov" for x in line.get_xdata()]
    assert {1.0, 3.0} <= {round(x, 6) for x in drawn}
    curves = result.plot("curves", ax=Figure().subplots())
    assert len(curves.lines) == 3  # two groups and the mean
    with pytest.raises(ValueError, match="'pie'"):
        result.plot("pie")
    with pytest.warns(CensoredDistanceWarning):
        endless = made({"a": np.full(40, np.inf), "b": np.full(40, np.inf)})
    with pytest.raises(ValueError, match="tau_max="):
        endless.plot()
    assert "<circle" not in endless._repr_html_()


def test_the_figure_of_a_comparison(models):
    result = models(one=GROUPS, two=GROUPS)
    ax = result.plot(ax=Figure().subplots())
    assert (ax.get_xlabel(), ax.get_ylabel()) != ("", "")
    with pytest.warns(CensoredDistanceWarning):
        endless = models(one={"a": np.full(40, np.inf), "b": np.full(40, 1.0)})
    with pytest.raises(ValueError, match="tau_max="):
        endless.plot()

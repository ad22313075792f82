"""The figures of a report: images with their content in words, the same in every style."""

import base64
import re

import matplotlib.pyplot as plt
import numpy as np

from robfair.auditing.report._figures import audit_figures, model_figures

RNG = np.random.default_rng(0)
NEAR, FAR = RNG.uniform(0.3, 0.5, 60), RNG.uniform(0.6, 0.8, 60)
GROUPS = {"a": NEAR, "b": FAR, "c": FAR + 0.1}


def svg(source):
    kind, _, data = source.partition(",")
    assert kind == "data:image/svg+xml;base64"
    return base64.b64decode(data)


def width(source):
    return float(re.search(rb'<svg [^>]*width="([0-9.]+)pt"', svg(source), re.DOTALL)[1])


def test_the_groups_and_their_curves_are_drawn_and_told(made):
    result = made(GROUPS)
    pictures = audit_figures(result)
    assert len(pictures) == 2
    for picture in pictures:
        assert width(picture.source) > 500
        assert width(picture.narrow) <= 280  # points: a phone's 390 pixels, less margins
        for group, rob in result.by_group["robustness"].items():
            assert f"{group} {rob:.3g}" in picture.alt
    assert plt.get_fignums() == []


def test_the_style_of_the_user_does_not_matter(made):
    result = made(GROUPS)
    plain = audit_figures(result)
    with plt.style.context("dark_background"):
        assert audit_figures(result) == plain


def test_of_many_groups_the_lowest_are_drawn(made):
    groups = {f"g{i:02}": FAR[:10] + 0.01 * i for i in range(45)}
    dots, _ = audit_figures(made(groups, confidence=None))
    assert "Only the 40 lowest groups are drawn." in dots.caption
    assert b"g44" not in svg(dots.source)
    assert b"g39" in svg(dots.source)


def test_models_are_points(models):
    both = models(one=GROUPS, two={"a": NEAR, "b": NEAR, "c": FAR})
    (picture,) = model_figures(both)
    for name, row in both.overall.iterrows():
        assert f"{name}: Rob(f) {row['Rob(f)']:.3g}, V_f {row['V_f']:.3g}" in picture.alt
    assert model_figures(models(one=GROUPS)) == []
